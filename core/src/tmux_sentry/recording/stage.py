"""Plays a recording: bytes and facts into a real WatchedPane, captures off a real terminal, under a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import Cast, CastEvent
from tmux_sentry.recording.terminal import Terminal
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch.events import Sink
from tmux_sentry.watch.pane import WatchedPane

#: Seconds for which the recorded capture that closes a gap is waited for; then one is taken off the terminal.
PICTURE = 2.0
#: Seconds after the last event in which its screen settles.
TAIL = 1.0
#: Bytes that wait for the terminal at most: it is only asked when somebody looks.
_UNSHOWN = 1 << 20
#: A start for recordings that do not say when they were made.
_SOME_TIME = 1_700_000_000.0


class VirtualClock:
    """Stands still until the recording goes on."""

    def __init__(self, start: float) -> None:
        """`start` is in epoch seconds."""
        self._start = start
        self._at = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        return self._start + self._at

    def monotonic(self) -> float:
        """Seconds since the recording began."""
        return self._at

    def to(self, at: float) -> None:
        """Go on to `at` seconds since the beginning; never back."""
        self._at = max(self._at, at)


class Audience(Protocol):
    """Whoever the recording is played to. Times are seconds since its beginning."""

    def begins(self, info: PaneInfo) -> None:
        """The pane is there."""

    def changed(self, info: PaneInfo) -> None:
        """tmux, or the pane itself, says something else of it now."""

    def sent(self, keys: str) -> None:
        """Here `run` was about to type these keys."""

    def due(self) -> float | None:
        """When it has something to do besides."""

    def work(self) -> None:
        """Do what is due, and what the last records led to."""


class Stage:
    """Plays one Cast once. `sink` gets the pane's records, as a Watcher's sink does."""

    def __init__(self, cast: Cast, terminal: Terminal, info: PaneInfo, clock: VirtualClock, sink: Sink) -> None:
        """`info` is the pane as the recording begins."""
        self._cast, self._terminal, self._clock = cast, terminal, clock
        self._tmux = self._seen = info
        self._own = bool(cast.header.own)
        self.pane = WatchedPane(info, sink, clock)
        self.pane.reading = True
        self._unshown = bytearray()
        self._blank = self._own  # the terminal does not show what the pane did
        self._gap_since: float | None = None

    def play(self, audience: Audience) -> None:
        """From the first event to the last. Raises UsageError for a bad recording, SentryError when tmux fails."""
        audience.begins(self._seen)
        if not self._own:
            self.pane.whole()
        audience.work()
        for event in self._cast.events():
            self._until(event.at, audience)
            self._take(event, audience)
            self._tell(audience)
        self._until(self._clock.monotonic() + TAIL, audience)

    def look(self, history: int = 0) -> Capture:
        """The pane as it shows now."""
        self._show()
        taken = self._terminal.capture(history)
        info = replace(self.pane.view().info, cursor=taken.cursor, alternate=taken.info.alternate)
        return replace(taken, info=info)

    # ---------------------------------------------------------------------------- time

    def _until(self, at: float, audience: Audience) -> None:
        """Whatever is due up to `at`, in its order, each at its own time."""
        idle = 0
        while True:
            capture, other = self._capture_due(), audience.due()
            due = min((time for time in (capture, other) if time is not None), default=None)
            if due is None or due > at:
                break
            # What stays due although it was done gets no second turn at the same moment.
            idle = idle + 1 if due <= self._clock.monotonic() else 0
            self._clock.to(max(due, self._clock.monotonic() + (0.01 if idle > 100 else 0.0)))
            if self._clock.monotonic() > at:
                break
            if capture is not None and capture <= self._clock.monotonic():
                self._capture()
            self._tell(audience)
        self._clock.to(at)

    def _capture_due(self) -> float | None:
        due = self.pane.due()
        if due is None or due > float("-inf"):
            self._gap_since = None
            return due
        if not self._own:
            return self._clock.monotonic()
        if self._gap_since is None:
            self._gap_since = self._clock.monotonic()
        return self._gap_since + PICTURE

    def _capture(self) -> None:
        wanted = self.pane.begin_capture()
        if wanted is not None:
            self.pane.captured(self.look(wanted.history or 0), resync=wanted.resync)

    # -------------------------------------------------------------------------- events

    def _take(self, event: CastEvent, audience: Audience) -> None:
        match event.code:
            case "o":
                data = event.text.encode("utf-8", "replace")
                self._unshown += data
                if len(self._unshown) > _UNSHOWN:
                    self._show()
                self.pane.feed(data)
            case "r":
                self._resize(*event.size)
            case facts.PANE:
                self._tmux = facts.changed(self._tmux, self._json(event))
                self.pane.update(self._tmux, self._clock.monotonic())
            case facts.SCREEN:
                self._picture(event)
            case facts.GAP:
                self._blank = True
                self.pane.gap()
            case facts.WHOLE:
                self._blank = False
                self.pane.whole()
            case facts.EMITTED:
                said = self._json(event)
                self.pane.emitted(str(said.get("entry", "")), str(said.get("text", "")))
            case facts.SENT:
                audience.sent(str(self._json(event).get("keys", "")))
            case facts.CLOSED:
                status = self._json(event).get("status")
                self.pane.close(status if type(status) is int else None)
            case _:
                pass

    def _json(self, event: CastEvent) -> Mapping[str, Any]:
        try:
            found = json.loads(event.text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._cast.fail(event.line, f"what comes with {event.code[:20]} is no JSON object")
        return found

    def _resize(self, width: int, height: int) -> None:
        self._show()
        self._terminal.resize(width, height)
        # With the title that the output has set; of our own recordings the other facts come next.
        self.pane.update(replace(self.pane.view().info, width=width, height=height), self._clock.monotonic())

    def _picture(self, event: CastEvent) -> None:
        """The capture with which `run` closed a gap: the same one closes it here."""
        taken = facts.capture(self.pane.view().info, self._json(event))
        if taken is None:
            self._cast.fail(event.line, "this is no picture of a screen")
        if self._blank:
            self._blank = False
            self._unshown.clear()
            self._terminal.write(_painted(taken))
        if self.pane.due() == float("-inf"):
            wanted = self.pane.begin_capture()
            if wanted is not None:
                self.pane.captured(taken, resync=wanted.resync)

    def _show(self) -> None:
        if self._unshown:
            self._terminal.write(bytes(self._unshown))
            self._unshown.clear()

    def _tell(self, audience: Audience) -> None:
        audience.work()
        info = self.pane.view().info
        if info != self._seen:
            self._seen = info
            audience.changed(info)
            audience.work()


def start_of(cast: Cast) -> float:
    """When the recording began, epoch seconds; always the same for one that does not say."""
    started = cast.header.own.get("started")
    if isinstance(started, (int, float)) and not isinstance(started, bool) and 0 <= started <= 1e11:
        return float(started)
    return _SOME_TIME if cast.header.timestamp is None else cast.header.timestamp


def _painted(taken: Capture) -> bytes:
    """What makes an empty terminal show this."""
    x, y = taken.cursor
    rows = "\r\n".join(row.replace("\n", " ") for row in taken.screen)
    switch = "\x1b[?1049h" if taken.info.alternate else "\x1b[?1049l"
    return f"{switch}\x1b[H\x1b[2J{rows}\x1b[{y + 1};{x + 1}H".encode("utf-8", "replace")
