"""Approvers who could not answer, as far as policy and settings tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tmux_sentry.contracts import Notifier
    from tmux_sentry.policy.model import Policy


def unheard(policy: Policy, notifiers: Iterable[Notifier], user: str, *, links: bool) -> Iterator[str]:
    """A sentence for each approver who is neither `user`, whom `run` runs as, nor somebody that a channel writes to,
    where there are `links` to write."""
    from tmux_sentry.approvals.names import folded

    written = (who for one in notifiers if links for who in _recipients(one))
    known = {folded(name) for name in (user, *written)}
    nobody = "an address that a channel writes to" if links else "reached by links, which need an APPROVAL_SECRET"
    for pipeline in policy.pipelines:
        for stage in pipeline.stages:
            spec = stage.require_approval
            second = spec.escalate.approvers if spec and spec.escalate else ()
            for who in dict.fromkeys((*spec.approvers, *second) if spec else ()):
                if folded(who) not in known:
                    why = f"it is neither {user}, who runs this, nor {nobody}"
                    yield f"{pipeline.name}: {stage.name}: no way of answering is known for {who}: {why}"


def _recipients(notifier: Notifier) -> list[str]:
    """Whom a channel writes to; nobody where it does not tell."""
    ask = getattr(notifier, "recipients", None)
    try:
        return [str(who) for who in ask()] if callable(ask) else []
    except Exception:  # a plugin's; that it fails is said when it is used
        return []
