"""A usage limit in hand: what an agent was seen to say of it, how far its end is, and how that is written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from tmux_sentry.contracts import Limit, Signal, SignalKind
from tmux_sentry.limits.reset import HostZone, read
from tmux_sentry.security.sanitize import clean

#: Seconds in which a notice, or the zone that it is read in, may still come after the state.
GRACE = 15.0
#: Seconds in which an agent leaves the limit after the message; if it does not, the try was in vain.
TAKEN = 60.0
#: A limit that comes sooner than so many seconds after a try is still the same one.
SETTLED = 300.0
#: The reset time of a notice that counts down moves with each reading; only more than so many seconds is news.
SLOP = 120.0

_TEXT, _DIGEST = 300, 100  # characters that a Run remembers


class Standing(str, Enum):
    """How far a limit is."""

    WAITING = "waiting"  # for its end, and for the time of the message
    SENDING = "sending"  # the message was handed out
    LEAVING = "leaving"  # it is typed: the agent has to go on soon
    STUCK = "stuck"  # a person has to see to it
    OVER = "over"  # remembered, as it may come again at once


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNotice:
    """A LIMIT Signal as the machine takes it in: cleaned, its reset time read. Times are epoch seconds."""

    digest: str
    text: str
    confidence: float
    until: float | None = None
    zone: str = ""  # in which its time was read, and who said so; "" where the text itself says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The usage limit that a Run's agent is at, or was at last. Times are epoch seconds."""

    since: float  # the clocks of its stage stand from here on
    seen_at: float  # when it was seen, or seen again after a try
    standing: Standing = Standing.WAITING
    stage: str = ""  # this and the next: whose tries are counted
    attempt: int = 0
    digest: str = ""  # of the notice; "" while there was none
    text: str = ""
    until: float | None = None
    zone: str = ""
    told: bool = False
    tries: int = 0
    action_id: str | None = None  # the message that was handed out and is not known to be typed
    leave_by: float | None = None  # when a try was in vain
    over_at: float | None = None

    @property
    def stands(self) -> bool:
        """Whether the agent is at the limit now."""
        return self.standing is not Standing.OVER


def notices(signals: Iterable[Signal], now: float, zone: HostZone | None) -> tuple[LimitNotice, ...]:
    """What LIMIT Signals say. `zone` is the host's, None while that is not known."""
    return tuple(_notice(signal, now, zone) for signal in signals if signal.kind is SignalKind.LIMIT)


def _notice(signal: Signal, now: float, zone: HostZone | None) -> LimitNotice:
    limit = signal.limit if isinstance(signal.limit, Limit) else None
    text = str(limit.text if limit is not None else signal.message or signal.evidence)
    found = None if limit is None else read(limit.reset, now, zone.zone if zone is not None else timezone.utc)
    if found is not None and found.zoned and zone is None:
        found = None
    return LimitNotice(
        digest=clean(str(signal.digest), _DIGEST),
        text=clean(text, _TEXT),
        confidence=signal.confidence,
        until=found.at if found is not None else None,
        zone=zone.name if found is not None and found.zoned and zone is not None else "",
    )


def shown_until(until: float, now: float) -> str:
    """A time and how far it is: `2026-11-30 14:00 UTC (in 1 h 12 min)`."""
    when = datetime.fromtimestamp(until, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{when} ({ahead(until - now)})"


def ahead(seconds: float) -> str:
    """`in 1 h 12 min`, `in 45 s`, `now`."""
    if seconds < 1:
        return "now"
    if seconds < 60:
        return f"in {seconds:.0f} s"
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return f"in {' '.join(part for part in parts if part)}"


def to_json(limit: Limited) -> dict[str, Any]:
    """Plain JSON types."""
    return {**asdict(limit), "standing": limit.standing.value}


def from_json(data: Mapping[str, Any]) -> Limited:
    """The Limited that `to_json` wrote."""
    return Limited(**{**data, "standing": Standing(data["standing"])})
