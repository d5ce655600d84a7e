"""What an attempt says about its channel, and what people are told of that: a mute channel is an incident."""

from __future__ import annotations

from dataclasses import replace

from tmux_sentry.contracts import Delivery, DeliveryResult, Level, Message
from tmux_sentry.notify import texts
from tmux_sentry.state.records import ChannelHealth

#: Seconds for which a channel may fail, or rest, before the others tell of it.
PATIENCE = 900.0
#: Seconds that a channel rests when it does not say for how long.
REST = 60.0


def after(before: ChannelHealth, result: DeliveryResult, now: float, settings: str) -> ChannelHealth:
    """How a channel does after an attempt. `settings` is the fingerprint of those that were used."""
    if result.outcome is Delivery.DELIVERED:
        return ChannelHealth(name=before.name, since=now if before.state != "on" else before.since)
    since = now if before.state == "on" else before.since
    if result.whole_channel and result.outcome is Delivery.PERMANENT:
        return replace(before, state="off", why=result.detail, since=since, until=None, settings=settings)
    if result.whole_channel and result.outcome is Delivery.RETRY:
        until = now + (result.retry_after if result.retry_after is not None else REST)
        return replace(before, state="resting", why=result.detail, since=since, until=until)
    if result.outcome is Delivery.PERMANENT:
        return before  # this message was refused; the next one need not be
    return replace(before, state="failing", why=result.detail, since=since, until=None)


def matter(name: str) -> str:
    """What is open while a channel does not work."""
    return f"channel/{name}"


def notice(before: ChannelHealth, now_is: ChannelHealth, now: float, language: str = "en") -> Message | None:
    """What the other channels tell of it: at once that it is off, and after a while that it does not get through."""
    name, why = now_is.name, now_is.why
    if now_is.state == "off" and before.state != "off":
        return _message(
            "channel.off",
            Level.ERROR,
            now_is,
            now,
            language,
            f"channel {name} is off",
            f"it tells nobody anything: {why}. Correct its settings, then: tmux-sentry notify test {name}",
        )
    if now_is.state in ("failing", "resting") and now - now_is.since >= PATIENCE:
        title = f"channel {name} does not get through"
        return _message(
            "channel.failing",
            Level.WARNING,
            now_is,
            now,
            language,
            title,
            f"for {PATIENCE / 60:.0f} minutes now: {now_is.why}",
        )
    return None


def recovered(before: ChannelHealth, now: float, language: str = "en") -> Message:
    """What is told, by those who have told that it does not work, when it works again."""
    return _message("channel.recovered", Level.INFO, before, now, language, f"channel {before.name} works again", "")


def _message(
    event: str, level: Level, health: ChannelHealth, now: float, language: str, english: str, text: str
) -> Message:
    names = {"channel": health.name}
    title = texts.title(language, event, english, names)
    # Once for each time that it begins.
    id = f"{event}/{health.name}/{health.since:.3f}"
    return Message(id=id, at=now, level=level, event=event, title=title, text=text, fields=names, language=language)
