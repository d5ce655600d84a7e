"""Makes the parts that plugins registered. A factory is foreign code: it may raise, exit or hang."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tmux_sentry.bounded import call_bounded
from tmux_sentry.errors import SentryError, UsageError
from tmux_sentry.security.sanitize import clean

if TYPE_CHECKING:
    from tmux_sentry.cli.session import Session
    from tmux_sentry.contracts import AnyPlugin

log = logging.getLogger(__name__)

#: Seconds that a plugin may take to make its part.
FACTORY_TIMEOUT = 10.0


def wanted(session: Session, records: Mapping[str, AnyPlugin]) -> dict[str, Any]:
    """Every part that can be made; one that cannot is told and left out."""
    parts = {}
    for name, record in records.items():
        try:
            parts[name] = _make(session, record)
        except (Exception, SystemExit) as error:
            log.error("plugin %s cannot be used: %s", clean(name), _why(error))
    return parts


def needed(
    session: Session, records: Mapping[str, AnyPlugin], names: Iterable[str], what: str, kind: str
) -> dict[str, Any]:
    """The parts of these names. Raises UsageError, with what to do, for one that is missing or cannot be made."""
    from tmux_sentry.policy.plugins import hint

    parts: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        if name not in records:
            why = session.registry.why_missing(kind, name) or "the policy or the settings name it"
            raise UsageError(f"there is no {what} {clean(name, 60)}", why, hint(session.registry, kind, name))
        try:
            parts[name] = _make(session, records[name])
        except (Exception, SystemExit) as error:
            raise UsageError(f"{what} {name} cannot be used", _why(error)) from error
    return parts


def _why(error: BaseException) -> str:
    """What went wrong; an error of ours says it itself, with the place in the file where there is one."""
    if isinstance(error, SentryError):
        return clean("; ".join(error.lines()), 2000)
    return clean(f"{type(error).__name__}: {error}")


def _make(session: Session, record: AnyPlugin) -> Any:
    return call_bounded(lambda: record.factory(session.context(record)), FACTORY_TIMEOUT, f"make {record.name}")
