"""What a pane said while it was recorded, its recording says again, at the same moments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tmux_sentry.contracts import Emitted, Lines, Osc, PaneClosed, Screen, Title
from tmux_sentry.engine.conductor import Step
from tmux_sentry.engine.events import AboutToSend, Keys, Send, SendDone
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.recording import facts
from tmux_sentry.recording.asciicast import Header, open_cast
from tmux_sentry.recording.recorder import Recorder
from tmux_sentry.recording.sent import sent_in
from tmux_sentry.recording.stage import Stage, VirtualClock, start_of
from tmux_sentry.recording.terminal import running
from tmux_sentry.security.redact import Redactor
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.watch.events import Whole
from tmux_sentry.watch.pane import WatchedPane

INFO = replace(facts.first(Header(width=40, height=6)), window_name="job", session_name="work")
SAID = (Lines, Screen, Title, Osc, Emitted, PaneClosed, Whole)


def said(record: Any) -> tuple[Any, ...]:
    """A record without the epoch, which a float cannot carry to the microsecond."""
    if isinstance(record, Screen):
        return type(record), round(record.at - 1_700_000_000, 3), record.lines, record.cursor, record.resync
    return type(record), round(record.at - 1_700_000_000, 3), str(replace(record, at=0.0))


class Deaf:
    """An audience that does nothing but listen."""

    def __init__(self) -> None:
        self.infos: list[PaneInfo] = []
        self.keys: list[str] = []

    def begins(self, info: PaneInfo) -> None:
        self.infos.append(info)

    changed = begins

    def sent(self, keys: str) -> None:
        self.keys.append(keys)

    def due(self) -> float | None:
        return None

    def work(self) -> None: ...


def recorder(folder: Path, clock: FakeClock) -> Recorder:
    return Recorder(folder, Redactor(), clock, version="1", limit=1 << 20, total=1 << 30, keep=1e6)


def played(path: Path) -> tuple[list[Any], Deaf]:
    records: list[Any] = []
    audience = Deaf()
    with open_cast(path) as cast, running(cast.header.width, cast.header.height) as terminal:
        clock = VirtualClock(start_of(cast))
        Stage(cast, terminal, facts.first(cast.header), clock, records.append).play(audience)
    return records, audience


def test_a_torn_beginning_titles_sequences_events_and_the_end(tmp_path: Path) -> None:
    clock, live = FakeClock(), list[Any]()
    tape = recorder(tmp_path, clock)
    pane = WatchedPane(INFO, live.append, clock, tape)
    pane.reading = True
    clock.advance(5.0)

    def settle(*rows: str) -> None:
        wanted = pane.begin_capture()
        assert wanted is not None
        cursor = (len(rows[-1]), len(rows) - 1)
        taken = Capture(lines=rows, cursor=cursor, row=rows[-1], info=INFO, screen=rows)
        pane.captured(taken, resync=wanted.resync)

    pane.feed(b"half a line")  # the recording begins here
    pane.gap()
    clock.advance(0.25)
    settle("$ make", "old")
    clock.advance(0.5)
    assert pane.begin_capture() is None  # it was quiet: the stream goes on behind what the capture shows
    pane.feed(b" and the rest\r\none\r\n")
    clock.advance(1.0)
    pane.feed("\x1b]2;✳ topic\x07é".encode()[:-1])
    settle("one", "é")  # it is an agent now: its text comes from captures
    clock.advance(0.125)
    pane.feed("é".encode()[-1:] + b"\x1b]7501;state=idle\x07\r\n")
    clock.advance(1.0)
    pane.update(replace(INFO, title="from outside", command="vim", width=50), clock.monotonic())
    settle("vim")
    clock.advance(0.5)
    assert pane.begin_capture() is None
    pane.emitted("", '{"type":"DONE"}')
    clock.advance(1.0)
    pane.close(7)
    tape.close()

    (path,) = tmp_path.glob("*.cast")
    again, audience = played(path)
    # Captures without a gap are the terminal's own, at its own times.
    wanted = [said(one) for one in live if isinstance(one, SAID) and getattr(one, "resync", True)]
    found = [said(one) for one in again if isinstance(one, SAID) and getattr(one, "resync", True)]
    assert found == wanted
    assert {kind for kind, *_ in wanted} == {Lines, Screen, Title, Osc, Emitted, PaneClosed}
    assert (audience.infos[-1].title, audience.infos[-1].command, audience.infos[-1].width) == (
        "from outside", "vim", 50,
    )  # fmt: skip


def test_a_pane_that_was_seen_from_its_first_byte_on(tmp_path: Path) -> None:
    clock, live = FakeClock(), list[Any]()
    tape = recorder(tmp_path, clock)
    pane = WatchedPane(INFO, live.append, clock, tape)
    pane.reading = True
    pane.whole()
    pane.feed(b"first\r\n")
    tape.close()
    (path,) = tmp_path.glob("*.cast")
    again, _ = played(path)
    assert [said(one) for one in again if isinstance(one, SAID)] == [
        said(one) for one in live if isinstance(one, SAID)
    ]  # fmt: skip
    assert isinstance(live[0], Whole)


def test_keys_are_noted_when_they_are_about_to_be_typed_and_not_before(tmp_path: Path) -> None:
    clock = FakeClock()
    tape = recorder(tmp_path, clock)
    pane = WatchedPane(INFO, lambda record: None, clock, tape)
    pane.reading = True
    pipeline = build_pipeline({"name": "p", "match": {}, "stages": [{"name": "s"}]})
    run = Run(id="r", pipeline=pipeline, pane=INFO.identity, pane_name="", policy_digest="", started_at=0.0)
    send = Send(action_id="r/s/1/1", stage="s", attempt=1, keys=Keys(text="make"), wait_idle=0.0)
    pane.feed(b"$ ")
    tape.step(Step(before=run, run=run, event=None, effects=(send,)))
    clock.advance(2.0)
    pane.feed(b"busy\r\n$ ")
    tape.step(Step(before=run, run=run, event=AboutToSend(action_id="r/s/1/1"), effects=()))
    tape.step(Step(before=run, run=run, event=SendDone(action_id="r/s/1/1"), effects=()))
    tape.step(Step(before=run, run=run, event=AboutToSend(action_id="r/s/1/1"), effects=()))
    tape.close()
    (path,) = tmp_path.glob("*.cast")
    with open_cast(path) as cast:
        assert [(event.at, event.code) for event in cast.events()] == [(0.0, "o"), (2.0, "o"), (2.0, "x-sent")]
    assert sent_in(path) == ("make<Enter>",)
    assert played(path)[1].keys == ["make<Enter>"]
