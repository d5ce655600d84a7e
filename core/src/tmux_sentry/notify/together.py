"""More messages than a provider takes: what asks somebody goes out by itself, the rest in one message together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tmux_sentry.contracts import Level, Message, Rate
from tmux_sentry.state.records import Outgoing

EVENT = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What to send now, in order, and what to tell in one."""

    alone: tuple[Outgoing, ...]
    together: tuple[Outgoing, ...] = ()


def allowance(rate: Rate, attempts: Sequence[float], now: float) -> tuple[int, float]:
    """How many messages may go out now, and in how many seconds the next one may when that is none.

    `attempts` are the times of the last ones, oldest first. Any window of `rate.seconds` holds at most `rate.messages`.
    """
    recent = [at for at in attempts if now - rate.seconds < at <= now]
    free = rate.messages - len(recent)
    if free > 0:
        return free, 0.0
    return 0, recent[-rate.messages] + rate.seconds - now


def arrange(waiting: Sequence[Outgoing], free: int) -> Round:
    """What goes out in `free` messages; the rest waits."""
    if len(waiting) <= free:
        return Round(alone=tuple(waiting))
    # One that was tried may have arrived: it keeps its id, or nobody could tell that it is the same.
    asks = [one for one in waiting if one.message.answer or one.message.event == EVENT or one.tries]
    tells = [one for one in waiting if one not in asks]
    if len(asks) >= free or not tells:
        return Round(alone=tuple(asks[:free]))
    left = free - len(asks)
    alone, together = (tells, []) if len(tells) <= left else (tells[: left - 1], tells[left - 1 :])
    if len(together) == 1:
        alone, together = [*alone, *together], []
    return Round(alone=(*asks, *alone), together=tuple(together))


def digest(together: Sequence[Outgoing], now: float, language: str) -> Message:
    """One message that tells these: a line each, the worst first."""
    messages = sorted((one.message for one in together), key=lambda message: (-message.level, message.at))
    ids = hashlib.sha256("\n".join(sorted(message.id for message in messages)).encode()).hexdigest()[:20]
    worst = messages[0].level
    count = len(messages)
    return Message(
        id=f"{EVENT}/{together[0].channel}/{ids}",
        at=now,
        level=Level(worst),
        event=EVENT,
        title=f"{count} 条消息" if language == "zh" else f"{count} messages",
        text="\n".join(f"• {message.title} #{message.short}" for message in messages),
        language=language,
    )
