"""How people are told: channels, routes and language, put together from settings, policy and plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tmux_sentry.cli import output
from tmux_sentry.cli.parts import needed
from tmux_sentry.cli.session import Session
from tmux_sentry.errors import UsageError
from tmux_sentry.policy.model import NotifyAction

if TYPE_CHECKING:
    from tmux_sentry.contracts import Notifier
    from tmux_sentry.engine.herald import Herald
    from tmux_sentry.notify.outbox import Channel
    from tmux_sentry.policy.model import Action, Policy

WHAT, KIND = "notification channel", "notifier"


def herald(session: Session, policy: Policy, channels: tuple[str, ...]) -> Herald:
    """Who is told what, in which language. `channels` are those that are told where the policy names none."""
    from tmux_sentry.engine.herald import Herald
    from tmux_sentry.notify.routing import Defaults, Router

    settings = session.settings
    zone = ZoneInfo(policy.timezone) if policy.timezone else None
    defaults = Defaults(
        channels=channels,
        local=frozenset(name for name, record in session.registry.notifiers.items() if record.local),
        level=settings.notification_level,
        quiet_hours=settings.notification_quiet_hours,
    )
    return Herald(
        router=Router(routes=policy.routes, defaults=defaults, zone=zone),
        redact=session.app.redact,
        language=settings.notification_language,
        zone=policy.timezone or "",
    )


def notifiers(session: Session, configured: Iterable[str], named: Iterable[str]) -> dict[str, Notifier]:
    """The channels of the settings and those that the policy names. Raises UsageError.

    One of the settings that cannot be used is told, and is no reason not to start while another one can.
    """
    made: dict[str, Notifier] = needed(session, session.registry.notifiers, list(named), WHAT, KIND)
    wrong: list[UsageError] = []
    for name in dict.fromkeys(configured):
        if name not in made:
            try:
                made |= _made(session, name)
            except UsageError as error:
                wrong.append(error)
    if wrong and not made:
        raise wrong[0]
    for one in wrong:
        output.warn(f"{'; '.join(one.lines())}; the others are used")
    for name, notifier in made.items():
        problem = problem_of(notifier)
        if problem:
            output.warn(f"{WHAT} {name}: {problem}")
    return made


def named(policy: Policy) -> list[str]:
    """Every channel that the policy names."""
    found = [name for route in policy.routes for name in route.channels]
    found += [name for route in policy.routes if route.escalate for name in route.escalate.channels]
    for pipeline in policy.pipelines:
        asking = [stage.require_approval for stage in pipeline.stages if stage.require_approval is not None]
        found += [name for spec in asking if spec.escalate for name in spec.escalate.channels]
    for action in actions(policy):
        if isinstance(action, NotifyAction):
            found += action.channels
    return found


def actions(policy: Policy) -> Iterator[Action]:
    """Every action of every stage."""
    for pipeline in policy.pipelines:
        for stage in pipeline.stages:
            for some in (stage.actions_on_start, stage.on_success, stage.on_failure, stage.on_timeout or ()):
                yield from some


def usable(session: Session, configured: Iterable[str]) -> Iterator[Notifier]:
    """Those of the configured channels that can be made from the settings."""
    for name in dict.fromkeys(configured):
        with suppress(UsageError):  # which `problems` tells
            yield from _made(session, name).values()


def problems(session: Session, configured: Iterable[str]) -> Iterator[str]:
    """What keeps each of the configured channels from being used, as far as that is known before it is used."""
    for name in dict.fromkeys(configured):
        try:
            problem = problem_of(_made(session, name)[name])
        except UsageError as error:
            yield "; ".join(error.lines())
        else:
            if problem:
                yield f"{WHAT} {name}: {problem}"


def _made(session: Session, name: str) -> dict[str, Notifier]:
    return needed(session, session.registry.notifiers, [name], WHAT, KIND)


def problem_of(part: object) -> str:
    """What a channel or a way of asking itself says is wrong with its settings; "" when it has nothing to say."""
    ask = getattr(part, "problem", None)
    return str(ask()) if callable(ask) else ""


def channels(session: Session, names: Iterable[str], salt: str) -> Mapping[str, Channel]:
    """Each channel's limits and a fingerprint of its settings: with others, one that is off gets another try."""
    from tmux_sentry.notify.outbox import Channel

    known: dict[str, Channel] = {}
    for name in names:
        record = session.registry.notifiers[name]
        own = sorted(session.context(record).settings.items())
        digest = hashlib.sha256(repr((salt, own)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        known[name] = Channel(rate=record.rate, local=record.local, settings=digest)
    return known
