"""Which channels a message goes to, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from fnmatch import fnmatchcase

from tmux_sentry.contracts import Level, Message
from tmux_sentry.notify.quiet import quiet_until
from tmux_sentry.policy.model import Route
from tmux_sentry.state.records import Planned, Silence

#: What quiet hours do not hold back.
LOUD = Level.CRITICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where the policy has no routes. `local` channels are those that only somebody at the machine sees.

    Without `level` a local channel gets everything from INFO on, the others from WARNING on and how each run ended.
    """

    channels: tuple[str, ...] = ()
    local: Collection[str] = ()
    level: Level | None = None
    quiet_hours: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The policy's `notifications:` routes, or the defaults where the policy has none."""

    routes: Sequence[Route] = ()
    defaults: Defaults = field(default_factory=Defaults)
    zone: tzinfo | None = None

    def plan(
        self, message: Message, matter: str, now: float, silences: Iterable[Silence] = (), only: Sequence[str] = ()
    ) -> list[Planned]:
        """The channels for `message`, each once. `only` are those that the policy's action names.

        What is to be told again, or to others, while a `matter` is open is planned for something that is one.
        """
        silenced = _silenced(message, silences)
        if only:
            return [Planned(channel=name, at=now, silenced=silenced) for name in dict.fromkeys(only)]
        planned: dict[str, Planned] = {}

        def add(channel: str, at: float, repeat: float | None = None) -> None:
            known = planned.get(channel)
            if known is None or at < known.at:
                planned[channel] = Planned(channel=channel, at=at, repeat=repeat, silenced=silenced)

        for route in self.routes:
            if _meets(route, message):
                begin = self._begin(message, now, route.quiet_hours)
                for channel in route.channels or self.defaults.channels:
                    add(channel, begin, route.repeat if matter else None)
                if route.escalate is not None and matter:
                    for channel in route.escalate.channels:
                        add(channel, now + route.escalate.after)
        if not self.routes:
            begin = self._begin(message, now, self.defaults.quiet_hours)
            for channel in self.defaults.channels:
                if self._by_default(channel, message):
                    add(channel, now if channel in self.defaults.local else begin)
        return list(planned.values())

    def wants_output(self, message: Message) -> bool:
        """Whether a route of `message` has `include_output`."""
        return any(route.include_output and _meets(route, message) for route in self.routes)

    def _begin(self, message: Message, now: float, hours: str) -> float:
        end = quiet_until(now, hours, self.zone) if hours and message.level < LOUD else None
        return now if end is None else end

    def _by_default(self, channel: str, message: Message) -> bool:
        if self.defaults.level is not None:
            return message.level >= self.defaults.level
        if channel in self.defaults.local:
            return message.level >= Level.INFO
        return message.level >= Level.WARNING or message.event.startswith("run.")


def _meets(route: Route, message: Message) -> bool:
    return (
        message.level >= route.min_level
        and _any(route.events, message.event)
        and _any(route.pipelines, message.fields.get("pipeline", ""))
        and _any(route.hosts, message.fields.get("host", ""))
    )


def _any(patterns: Sequence[str], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def _silenced(message: Message, silences: Iterable[Silence]) -> str:
    """Why a message is not told, or ""."""
    for one in silences:
        wanted = (one.pipeline, message.fields.get("pipeline", "")), (one.host, message.fields.get("host", ""))
        if all(not pattern or fnmatchcase(text, pattern) for pattern, text in (*wanted, (one.event, message.event))):
            return f"silenced by {one.by}: {one.reason}"
    return ""
