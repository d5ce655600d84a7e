"""Puts how to answer into the messages that ask somebody, at the moment they are sent: the file, and links.

Where a request is shown is known only then, and no message that is stored has a link.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from tmux_sentry.approvals.names import NAMELESS
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Level, Message, Notifier
from tmux_sentry.security.escape import shell_word
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import Link, Rules, StoredApproval
from tmux_sentry.state.requests import PENDING
from tmux_sentry.state.store import Store

log = logging.getLogger(__name__)

#: Of more recipients than this, only the first get a link of their own.
RECIPIENTS = 100
#: Characters of a path; Linux takes no longer one.
_PATH = 4096


def _at_once(_approval_id: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`address(token)` is the page of a token, "" where there is none. `ttl` is how many seconds a link lives.

    `await_shown(id)` returns when it is known where a request is shown, or after a few seconds. Messages of `local`
    channels end up in a log: they get no link.
    """

    store: Store
    clock: Clock
    tokens: Tokens
    address: Callable[[str], str]
    ttl: float
    await_shown: Callable[[str], None] = _at_once
    local: Collection[str] = ()

    def dress(self, message: Message, channel: str, notifier: Notifier) -> Message:
        """The message with its file, and a link for each recipient that the channel knows, or one for whoever reads it.

        A repetition gets links of its own; those that it had stay good, as nobody knows whether they have arrived.
        Whose answer can never count gets none.
        """
        approval_id = message.fields.get("approval", "")
        if message.level is not Level.APPROVAL or not approval_id:
            return message
        stored = self._pending(approval_id)
        if stored is not None and not stored.shown:
            self.await_shown(approval_id)
            stored = self._pending(approval_id)
        if stored is None:
            return message
        message = replace(message, answer="\n".join(line for line in (_by_file(stored), message.answer) if line))
        if not self.tokens or channel in self.local:
            return message
        asked = [who for who in self._recipients(notifier) if self._may(stored.rules, who or f"{NAMELESS}{channel}")]
        lines = {who: self.line(stored, channel, who) for who in asked}
        dressed = replace(message, links={who: line for who, line in lines.items() if line})
        return dressed.to("") if list(lines) == [""] else dressed

    def _pending(self, approval_id: str) -> StoredApproval | None:
        stored = self.store.approval(approval_id)
        return stored if stored is not None and stored.status == PENDING else None

    def _may(self, rules: Rules, who: str) -> bool:
        """Whether this answer counts now, or will when the second group is asked."""
        return rules.may(who, max(self.clock.now(), rules.second_at or 0.0))

    def line(self, stored: StoredApproval, channel: str, recipient: str) -> str:
        """A new link: its address, and below it the code where the risk is high. "" where there are no pages."""
        now = self.clock.now()
        text, token = self.tokens.make("link", now + self.ttl)
        url = self.address(text)
        if not url:
            return ""
        link = Link(
            hash=token.hash,
            kind="link",
            approval_id=stored.request.id,
            channel=channel,
            recipient=recipient,
            created_at=now,
            expires_at=token.expires,
        )
        with self.store.transaction() as tx:
            tx.add_link(link)
        return f"{url}\ncode: {self.tokens.code(token)}" if stored.request.risk == "high" else url

    @staticmethod
    def _recipients(notifier: Notifier) -> Sequence[str]:
        ask = getattr(notifier, "recipients", None)
        try:
            found = [str(one) for one in ask()][:RECIPIENTS] if ask is not None else []
        except Exception as error:  # a plugin's fault takes the link away, not the message
            log.warning("notifications: %s: %s", type(error).__name__, clean(str(error)))
            found = []
        return found or [""]


def _by_file(stored: StoredApproval) -> str:
    """The command that approves by the request's file; "" where there is none, or its path cannot be written."""
    path = stored.shown.get("file", "")
    return f"echo approve > {shell_word(path, _PATH)}" if path and clean(path, _PATH) == path else ""
