"""Which pane a person means by `%3`, or by `session:window.index`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tmux_sentry.errors import Refused, Unreachable, UsageError
from tmux_sentry.security.sanitize import clean
from tmux_sentry.tmux.model import PaneInfo


def pane_called(name: str, host: str | None, infos: Iterable[PaneInfo], unlisted: Mapping[str, str]) -> PaneInfo:
    """The only pane of that name, on `host` if one is named, else on any.

    `unlisted` are the hosts whose panes are not known now, and why. Raises UsageError when there is none or another,
    Unreachable when it may be on one of those, and Refused when one of those may have another: `%0` is on nearly every
    server, and what is meant for a host that is down must not be typed on the next.
    """
    called = clean(name, 80)
    found = [
        info for info in infos if name in (info.identity.pane_id, info.name) and host in (None, info.identity.host)
    ]
    if len(found) > 1:
        where = ", ".join(f"{info.identity.host} {info.identity.pane_id}" for info in found)
        raise UsageError(f"{called} could be any of {clean(where)}", "", "name the pane's id and --host")
    there = found[0].identity.host if found else None
    away = [why for one, why in unlisted.items() if host in (None, one) and one != there]
    if not found and away:
        raise Unreachable(f"no pane {called} on a host that is reached", clean("; ".join(away), 1000))
    if not found:
        raise UsageError(f"no pane {called} is there", "", "see: tmux-sentry status")
    if away:
        why = f"{there} has one, and not every host is reached: {'; '.join(away)}"
        raise Refused(
            f"which {called} is meant is not sure", clean(why, 1000), f"name the host: --host {clean(there or '')}"
        )
    return found[0]
