"""Records every pane that is watched, each into a file of its own, on a thread of its own.

Nothing here holds up the watching: a queue that is full loses output and says so in the recording, and a file that
cannot be written ends that pane's recording with one warning.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.events import AboutToSend, Send, SendDone, SendHeld, SendMoot, StopSend
from tmux_sentry.recording import facts
from tmux_sentry.recording.files import create, sweep
from tmux_sentry.recording.tape import Tape
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean
from tmux_sentry.security.trust import is_key
from tmux_sentry.state.files import private_directory
from tmux_sentry.tmux.model import PaneInfo
from tmux_sentry.watch import tap

_log = logging.getLogger(__name__)

#: Bytes of output that may wait to be written, for all panes together.
WAITING = 32 << 20
#: Seconds at most that a recording shows how a pane stood there before it printed: for how long it had been calm
#: decides how its first line is read.
LEAD = 0.5
#: What a record costs besides its output.
_RECORD = 200


class Typed:
    """Keys that this program is about to type: how they are shown to people."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Recorder:
    """A `watch.tap.Tap`. Call it from any thread; `close` once, at the end."""

    def __init__(
        self,
        directory: Path,
        redact: Redactor,
        clock: Clock,
        *,
        version: str,
        limit: int,
        total: int,
        keep: float,
        waiting: int = WAITING,
    ) -> None:
        """Files go to `directory`, which is made; raises SentryError when it cannot be.

        A recording ends at `limit` bytes. Recordings older than `keep` seconds, and the oldest ones of more than
        `total` bytes, are removed first.
        """
        private_directory(directory)
        sweep(directory, clock.now(), keep, total)
        self._directory, self.redact, self._clock = directory, redact, clock
        self._version, self._limit, self._most = version, limit, waiting
        self._wake = threading.Condition()
        self._queue: deque[tuple[PaneIdentity, float, tap.Taped | Typed, int]] = deque()
        self._waiting = 0
        self._lost: set[PaneIdentity] = set()
        self._sends: dict[str, str] = {}  # by action: keys as they are shown to people
        self._closing = False
        self._reels: dict[PaneIdentity, _Reel] = {}
        self._thread = threading.Thread(target=self._work, name="recordings", daemon=True)
        self._thread.start()

    def __call__(self, pane: PaneIdentity, record: tap.Taped | Typed) -> None:
        """Take a record; never waits for the disk."""
        size = _RECORD + (len(record.data) if isinstance(record, tap.Printed) else 0)
        with self._wake:
            if self._closing:
                return
            if self._waiting + size > self._most:
                self._lost.add(pane)
                return
            if pane in self._lost:
                self._lost.discard(pane)
                self._queue.append((pane, self._clock.monotonic(), tap.Gap(), 0))
            self._queue.append((pane, self._clock.monotonic(), record, size))
            self._waiting += size
            self._wake.notify()

    def step(self, step: Step) -> None:
        """Note the keys that are about to be typed. On the engine's thread, before it lets the sender go on."""
        for effect in step.effects:
            if isinstance(effect, Send):
                self._sends[effect.action_id] = effect.keys.shown()
            elif isinstance(effect, StopSend):
                self._sends.pop(effect.action_id, None)
        if isinstance(step.event, AboutToSend) and step.event.action_id in self._sends:
            self(step.run.pane, Typed(self._sends[step.event.action_id]))
        elif isinstance(step.event, (SendDone, SendHeld, SendMoot)):
            self._sends.pop(step.event.action_id, None)

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits, for at most `timeout` seconds, and end every file. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    break
                batch, self._queue = self._queue, deque()
            for pane, at, record, size in batch:
                self._take(pane, at, record)
                with self._wake:
                    self._waiting -= size
            for reel in list(self._reels.values()):
                reel.flush()
        for reel in self._reels.values():
            reel.end()

    def _take(self, pane: PaneIdentity, at: float, record: tap.Taped | Typed) -> None:
        try:
            reel = self._reels.get(pane)
            if reel is None:
                reel = self._reels[pane] = _Reel(self)
            reel.take(at, record)
            if isinstance(record, tap.Closed):
                reel.end()
                del self._reels[pane]
        except Exception:
            _log.exception("the recording of %s on %s failed", pane.pane_id, clean(pane.host))

    def open(self, info: PaneInfo, started: float) -> tuple[Tape, Path]:
        """A new file for a pane, with its header. Raises OSError."""
        stream, path = create(self._directory, info, started, self.redact)
        header: dict[str, Any] = {
            "version": 2,
            "width": max(info.width, 1),
            "height": max(info.height, 1),
            "timestamp": int(started),
            "title": info.name,
            "env": {"TERM": "screen"},
            "tmux_sentry": {
                "version": self._version,
                "started": round(started, 6),
                **facts.identity(info),
                "pane": facts.of_pane(info),
            },
        }
        return Tape(stream, self.redact, header, self._limit), path

    def now(self) -> tuple[float, float]:
        """Epoch seconds and monotonic seconds."""
        return self._clock.now(), self._clock.monotonic()


class _Reel:
    """One pane's recording. It begins with what the pane prints first: one that only stands there leaves no file."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._info: PaneInfo | None = None
        self._before: list[tuple[float, tap.Taped]] = []  # how it stood there, and since when (monotonic)
        self._tape: Tape | None = None
        self._began = 0.0  # monotonic
        self._over = False

    def take(self, at: float, record: tap.Taped | Typed) -> None:
        """The next record, at `at` (monotonic)."""
        if self._over:
            return
        try:
            if self._tape is not None:
                self._write(self._tape, at - self._began, record)
            elif isinstance(record, tap.Found):
                self._info = record.info
            elif isinstance(record, (tap.Gap, tap.FromTheStart)):
                self._before = [(at, record)]
            elif isinstance(record, tap.Shown):
                self._before = [*self._before[:1], (at, record)]
            elif self._info is not None and not isinstance(record, tap.Closed):
                self._begin(self._info, at, record)
        except OSError as error:
            self._give_up(error)

    def _begin(self, info: PaneInfo, at: float, record: tap.Taped | Typed) -> None:
        wall, now = self._recorder.now()
        self._began = max(self._before[0][0], at - LEAD) if self._before else at
        self._tape, path = self._recorder.open(info, wall - (now - self._began))
        _log.info("recording %s to %s", clean(info.name), path)
        for since, one in (*self._before, (at, record)):
            if self._tape is not None and not self._over:
                self._write(self._tape, max(since - self._began, 0.0), one)
        self._before = []

    def flush(self) -> None:
        """Let the system have what was written."""
        if self._tape is not None and not self._over:
            try:
                self._tape.flush()
            except OSError as error:
                self._give_up(error)

    def end(self) -> None:
        """Write what was held back, and close."""
        if self._tape is not None and not self._over:
            try:
                self._tape.close()
            except OSError as error:
                self._give_up(error)
        self._over = True

    def _write(self, tape: Tape, at: float, record: tap.Taped | Typed) -> None:
        match record:
            case tap.Printed():
                tape.output(at, record.data)
            case tap.Found():
                self._found(tape, at, record.info)
            case tap.Shown():
                tape.mark(at, facts.SCREEN, facts.of_capture(record.capture, self._recorder.redact))
            case tap.Gap():
                tape.mark(at, facts.GAP, "")
            case tap.FromTheStart():
                tape.mark(at, facts.WHOLE, "")
            case tap.Handed():
                # Not its entry in the queue: that says the same once more, where no redactor can read it.
                if not is_key(record.text):
                    tape.mark(at, facts.EMITTED, {"text": record.text})
            case tap.Closed():
                tape.mark(at, facts.CLOSED, {"status": record.status})
            case Typed():
                tape.mark(at, facts.SENT, {"keys": record.text})
        if tape.full:
            tape.mark(at, facts.END, {"why": "the recording has reached its size"})
            assert self._info is not None
            _log.warning("the recording of %s has reached its size and ends", clean(self._info.name))
            self.end()

    def _found(self, tape: Tape, at: float, info: PaneInfo) -> None:
        assert self._info is not None
        before, now = facts.of_pane(self._info), facts.of_pane(info)
        news = {name: value for name, value in now.items() if value != before[name]}
        if "width" in news or "height" in news:
            tape.mark(at, "r", f"{info.width}x{info.height}")
        if news:
            tape.mark(at, facts.PANE, news)
        self._info = info

    def _give_up(self, error: OSError) -> None:
        self._over = True
        name = clean(self._info.name) if self._info else "a pane"
        _log.warning("the recording of %s ends: %s", name, clean(error.strerror or str(error)))
        if self._tape is not None:
            with suppress(OSError):
                self._tape.close()
