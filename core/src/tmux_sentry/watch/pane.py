"""One watched pane: its text, from exactly one source at a time, and what is known of it now."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import Emitted, Lines, Osc, PaneClosed, PaneIdentity, Screen, TextSource, Title
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch import tap as taped
from tmux_sentry.watch.columns import columns_of
from tmux_sentry.watch.events import Activity, AgentSeen, Sink, Whole
from tmux_sentry.watch.lines import LineAssembler, ModeSeen, OscSeen, Part, Printed, TitleSeen
from tmux_sentry.watch.source import agent_now, agent_on, text_source
from tmux_sentry.watch.tap import Tap, nobody

#: Seconds between two captures, and between two Activity records, of one pane.
EVERY = 0.2
#: A redraw comes in pieces: seconds to wait for the rest of it.
SETTLE = 0.03
#: Seconds without output after which a capture is what the stream goes on from.
QUIET = 0.1
#: Rows of history that a capture of a polled pane takes along: it may have scrolled since the last one. Not more than
#: the engine's baseline has, or what is older than a stage's keys would be news to it.
POLLED_HISTORY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A capture to take: `history` as `tmux.capture` has it; `resync` closes a gap."""

    history: int | None
    resync: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneView:
    """What is known of a pane now. `version` rises whenever it prints or its info changes."""

    info: PaneInfo
    agent: str
    source: TextSource
    version: int
    last_output: float | None  # epoch seconds
    last_output_mono: float | None  # the Clock's monotonic seconds
    partial: str  # the line that the stream has not ended yet; "" for CAPTURE
    screen: Screen | None  # the last one


class WatchedPane:
    """Turns one pane's output, captures and inventory rows into records. Thread-safe.

    The sink is called with the pane's lock held: that is what keeps its records in order.
    """

    def __init__(self, info: PaneInfo, sink: Sink, clock: Clock, tap: Tap = nobody) -> None:
        """`tap` gets what comes in, for a recording."""
        self._sink, self._clock, self._tap = sink, clock, tap
        self._lock = threading.RLock()
        self._info = info
        self._title = info.title
        self._agent = agent_now(info, "", "")
        self._alternate = info.alternate
        self._disagreed = 0
        self._source = text_source(info, self._agent)
        self._lines = LineAssembler(info.width)
        self._version = 0
        self._output: tuple[float, float] | None = None
        self._active_at = float("-inf")
        self._streamed_at = float("-inf")  # when the stream last told a title or a mode
        self._polled = False  # no stream brings its output
        self._captured_history: int | None = None  # the history's size when a polled pane was last captured
        self._torn = True  # the stream may begin in the middle of a line
        self._resync = False  # a capture with history is due
        self._dirty: float | None = None  # monotonic, of the first output after the last capture
        self._captured_at = float("-inf")
        self._basis: tuple[float, Capture] | None = None  # a resync capture, and when it was taken
        self._screen: Screen | None = None
        self._taking = False  # a capture is under way
        self._finishing = False
        self._closed = False
        self.reading = False  # whether anyone wants its text
        tap(info.identity, taped.Found(info))

    @property
    def identity(self) -> PaneIdentity:
        """Which pane this is; it never changes."""
        return self._info.identity

    @property
    def session_id(self) -> str:
        """The session that the inventory names for it."""
        return self._info.session_id

    @property
    def polled(self) -> bool:
        """Whether its text comes from captures because no stream of it is read."""
        return self._polled

    @property
    def closed(self) -> bool:
        """Whether PaneClosed was said."""
        return self._closed

    @property
    def last_output(self) -> float:
        """Monotonic seconds of the last output, -inf when there was none."""
        output = self._output
        return output[1] if output else float("-inf")

    def view(self) -> PaneView:
        """A snapshot."""
        with self._lock:
            wall, mono = self._output or (None, None)
            return PaneView(
                info=self._info,
                agent=self._agent,
                source=self._source,
                version=self._version,
                last_output=wall,
                last_output_mono=mono,
                partial=self._lines.partial if self._source is TextSource.STREAM else "",
                screen=self._screen,
            )

    # ---------------------------------------------------------------- from the stream

    def feed(self, data: bytes) -> bool:
        """Output of the pane. Returns whether anyone who waits for a change should look."""
        with self._lock:
            if self._closed or not self.reading:
                return False
            self._tap(self.identity, taped.Printed(data))
            at, now = self._clock.now(), self._clock.monotonic()
            self._dirty = now if self._dirty is None else self._dirty
            self._basis = None
            chunk = self._lines.feed(data)
            for part in chunk.parts:
                self._part(part, at)
            if not chunk.printed:
                return bool(chunk.parts)
            self._printed_at(at, now)
            return True

    def _printed_at(self, at: float, now: float) -> None:
        self._version += 1
        self._output = (at, now)
        if now - self._active_at >= EVERY:
            self._active_at = now
            self._sink(Activity(pane=self.identity, at=at))

    def emitted(self, entry: str, text: str) -> bool:
        """A process in the pane has handed this over out of band; False when the pane is closed."""
        with self._lock:
            if not self._closed:
                self._tap(self.identity, taped.Handed(text, entry))
                self._sink(Emitted(pane=self.identity, at=self._clock.now(), text=text, entry=entry))
            return not self._closed

    def whole(self) -> None:
        """The stream has brought this pane's output from the first byte on: nothing is torn."""
        with self._lock:
            self._torn = False
            self._tap(self.identity, taped.FromTheStart())
            self._sink(Whole(pane=self.identity, at=self._clock.now()))

    def gap(self) -> None:
        """Output was lost, or may have been: the next line may be half of one, and a capture is due."""
        with self._lock:
            if not self._closed:
                self._tap(self.identity, taped.Gap())
                self._lines.reset()
                self._torn = self._resync = True
                self._basis = None

    def _part(self, part: Part, at: float) -> None:
        if isinstance(part, Printed):
            self._printed(part, at)
        elif isinstance(part, OscSeen):
            self._sink(Osc(pane=self.identity, at=at, number=part.number, text=part.text))
        elif isinstance(part, TitleSeen):
            self._streamed_at = self._clock.monotonic()
            self._retitle(part.title)
        elif isinstance(part, ModeSeen) and part.mode == "bracketed_paste":
            if not part.on:  # the shell's line editor has taken a line: what follows is output, as 133;C says it
                self._sink(Osc(pane=self.identity, at=at, number=133, text="C"))
        elif isinstance(part, ModeSeen):
            self._streamed_at = self._clock.monotonic()
            self._alternate, self._disagreed = part.on, 0
            self._choose(exact=True)

    def _printed(self, part: Printed, at: float) -> None:
        if self._source is not TextSource.STREAM:
            return
        lines = part.lines
        self._recognise(lines)
        if self._torn:
            # Half a line reads like another one ("10 problems", "0 problems"): a capture brings it whole.
            lines, self._torn, self._resync = lines[1:], False, True
        if lines:
            self._sink(Lines(pane=self.identity, at=at, lines=lines, before=part.before))

    # ------------------------------------------------------------- from the inventory

    def poll(self, on: bool) -> None:
        """Say whether it is polled; a change brings a capture that closes the gap."""
        with self._lock:
            if on is not self._polled and not self._closed:
                self._polled, self._captured_history = on, None
                self._resync = self._resync or on
                self._choose()

    def touched(self, history: int) -> None:
        """An inventory shows that a polled pane has printed; `history` is the number of rows above its screen."""
        with self._lock:
            if self._closed or not self.reading:
                return
            now = self._clock.monotonic()
            self._dirty = now if self._dirty is None else self._dirty
            if self._captured_history is not None and history > self._captured_history + POLLED_HISTORY:
                self._resync = True
            self._captured_history = history
            self._printed_at(self._clock.now(), now)

    def update(self, info: PaneInfo, began: float) -> None:
        """An inventory that began at `began` (monotonic) found the pane like this."""
        with self._lock:
            if self._closed or info == self._info:
                return
            self._tap(self.identity, taped.Found(info))
            before, self._info = self._info, info
            self._version += before != info
            self._lines.resize(info.width)
            fresh = began > self._streamed_at  # what the stream told later than that is newer
            if fresh:
                self._retitle(info.title)
            # The stream sees the switch first; twice against it means that tmux did not follow it.
            self._disagreed = self._disagreed + 1 if fresh and info.alternate != self._alternate else 0
            if self._disagreed >= 2 or (self._disagreed and self._torn):
                self._alternate, self._disagreed = info.alternate, 0
            self._choose(before.command)

    def _retitle(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._choose()  # first: whoever reads the title has to know whose it is
            self._sink(Title(pane=self.identity, at=self._clock.now(), title=title))

    def _choose(self, previous_command: str | None = None, *, exact: bool = False) -> None:
        """Which source it is now. A switch brings a capture, so that nothing falls between the two.

        `exact`: the stream is at the very place of the switch, and not somewhere inside a line.
        """
        info = self._info = replace(self._info, title=self._title, alternate=self._alternate)
        self._be(agent_now(info, self._agent, info.command if previous_command is None else previous_command))
        source = TextSource.CAPTURE if self._polled else text_source(info, self._agent)
        if source is self._source:
            return
        if source is TextSource.STREAM:
            if not exact:
                self._lines.reset()
            self._torn = not exact
        self._source, self._resync = source, True

    def _recognise(self, lines: Sequence[str]) -> None:
        """An agent whose process and title say nothing of it (measured: aider) is known by what it prints first."""
        if not self._agent and (agent := agent_on(lines, self._info)):
            self._be(agent)
            self._choose()

    def _be(self, agent: str) -> None:
        if agent != self._agent:
            self._agent = agent
            self._sink(AgentSeen(pane=self.identity, agent=agent))

    def finish(self) -> None:
        """The pane is dead but still there. Its last capture is due: what a stream's client has not yet been handed
        when a program ends, tmux 3.3a drops (measured: after a burst, in one of five)."""
        with self._lock:
            self._resync = self._resync or not self._finishing
            self._finishing = True

    @property
    def pending(self) -> bool:
        """Whether a capture with history is still to come."""
        return self.reading and (self._resync or self._taking)

    def close(self, status: int | None) -> None:
        """The pane is gone or dead: what it printed last, then PaneClosed. Idempotent."""
        with self._lock:
            if self._closed:
                return
            whole = self._source is TextSource.STREAM and not self._torn and not self._finishing
            rest = self._lines.partial if whole else ""
            self._tap(self.identity, taped.Closed(status))
            at = self._clock.now()
            if rest:
                self._sink(Lines(pane=self.identity, at=at, lines=(rest,)))
            self._sink(PaneClosed(pane=self.identity, at=at, status=status))
            self._closed = True
            self._version += 1

    # --------------------------------------------------------------- for the captures

    @property
    def wants_capture(self) -> bool:
        """Whether `due` may name a time. Without a lock, because it is asked after each piece of output."""
        return self._resync or self._source is TextSource.CAPTURE or self._torn

    def due(self) -> float | None:
        """When (monotonic) the pane wants `work`, None for not now."""
        with self._lock:
            if self._closed or not self.reading:
                return None
            if self._resync:
                return float("-inf")
            if self._source is TextSource.CAPTURE:
                # The last output is always seen: what comes during a capture makes it dirty again.
                return None if self._dirty is None else max(self._captured_at + EVERY, self._dirty + SETTLE)
            if self._torn and self._basis is not None:
                return self._basis[0] + QUIET
            return None

    def begin_capture(self) -> Wanted | None:
        """Before a capture: which; None when none is wanted any more."""
        with self._lock:
            if self._closed:
                return None
            now = self._clock.monotonic()
            if not self._resync and self._torn and self._basis is not None:
                self._join(self._basis[1])
                return None
            resync, self._resync = self._resync, False
            if not resync and (self._source is not TextSource.CAPTURE or self._dirty is None):
                return None
            self._dirty, self._taking = None, True
            self._captured_at = now
            beyond = POLLED_HISTORY if self._polled and not self._alternate else 0
            return Wanted(history=None if resync else beyond, resync=resync)

    def captured(self, capture: Capture, *, resync: bool) -> None:
        """The capture that `begin_capture` asked for."""
        with self._lock:
            self._taking = False
            if self._closed or capture.info.identity != self.identity:
                return
            if not resync and self._source is not TextSource.CAPTURE:
                return
            if resync:
                self._tap(self.identity, taped.Shown(capture))
            at = self._clock.now()
            self._screen = Screen(
                pane=self.identity,
                at=at,
                lines=capture.lines,
                cursor=capture.cursor,
                resync=resync,
                rows=capture.screen,
            )
            self._sink(self._screen)
            self._recognise(capture.lines)
            if resync and self._torn and self._dirty is None:
                self._basis = (self._clock.monotonic(), capture)

    def missed(self, *, resync: bool) -> None:
        """The capture could not be taken: want it again."""
        with self._lock:
            self._taking = False
            self._resync = self._resync or resync
            self._dirty = self._clock.monotonic()

    def _join(self, capture: Capture) -> None:
        """Nothing was printed since this capture: the stream goes on where its cursor is."""
        self._basis = None
        row, column = capture.row, capture.cursor[0]
        blanks = column - sum(map(columns_of, row))
        if blanks < 0 or (row and (row,) != capture.lines[-1:]):
            return  # text right of or below the cursor, or a wrapped row: stay careful
        self._lines.feed((row + " " * blanks).encode())
        self._torn = False
