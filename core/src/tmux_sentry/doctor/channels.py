"""Whether people are told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from tmux_sentry.doctor.finding import Finding, count, note, of_error, ok, problem
from tmux_sentry.doctor.known import Undelivered
from tmux_sentry.errors import SentryError
from tmux_sentry.notify.undelivered import NAME as UNDELIVERED
from tmux_sentry.state.records import ChannelHealth

#: Seconds for which a message that was given up is worth a line.
REMEMBERED = 7 * 86400.0
#: Seconds after which a message that still waits is one that does not get through.
LONG_DUE = 3600.0


def configured(
    channels: Sequence[str], build: Callable[[str], object], local: Collection[str], unwell: Collection[str] = ()
) -> Iterator[Finding]:
    """Each channel of NOTIFICATION_CHANNELS. `build` makes it, as `run` does, and raises SentryError.

    `local` are channels that only somebody at the machine sees; of those that are `unwell` others speak.
    """
    for name in channels:
        try:
            notifier = build(name)
        except SentryError as error:
            fix = f"correct its settings, or take {name} out of NOTIFICATION_CHANNELS"
            yield from of_error("channels", error, fix)
        else:
            ask = getattr(notifier, "problem", None)
            said = ask() if callable(ask) else ""
            if said:
                yield problem(
                    "channels", f"{name}: {said}", f"correct its settings, then: tmux-sentry notify test {name}"
                )
            elif name not in unwell:
                yield ok("channels", f"{name} can be used")
    if not set(channels) - set(local):
        what = "nobody is told but who looks at the output of `run`" if channels else "nobody is told anything"
        yield note("channels", what, "name more channels in NOTIFICATION_CHANNELS (see: tmux-sentry plugins)")


def health(unwell: Iterable[ChannelHealth]) -> Iterator[Finding]:
    """Channels by which nobody is told anything at the moment."""
    for one in unwell:
        fix = f"tmux-sentry notify test {one.name}"
        if one.state == "resting":
            yield note("channels", f"{one.name} rests: {one.why}", "it goes on by itself")
        else:
            yield problem("channels", f"{one.name} is {one.state}: {one.why}", f"correct its settings, then: {fix}")


def unheard(home: Path) -> Iterator[Finding]:
    """The file that `run` leaves when no channel gets through."""
    path = home / UNDELIVERED
    if path.exists():
        yield problem("channels", f"messages reached nobody: {path}", "read it, then correct a channel's settings")


def outbox(undelivered: Iterable[Undelivered], *, running: bool) -> Iterator[Finding]:
    """Messages that did not arrive. Those that only wait for a `run` that is not there are a note."""
    for one in undelivered:
        said = f": {one.detail}" if one.detail else ""
        fix = f"correct the settings of {one.channel}, or take it out of NOTIFICATION_CHANNELS"
        if one.dead:
            yield problem("channels", f"{count(one.dead, 'message')} for {one.channel} given up{said}", fix)
        if one.due and running:
            yield problem("channels", f"{count(one.due, 'message')} for {one.channel} waiting too long{said}", fix)
        elif one.due:
            yield note("channels", f"{count(one.due, 'message')} for {one.channel} waiting{said}", "tmux-sentry run")
