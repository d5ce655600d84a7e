"""A send in a real tmux with a real journal: typed exactly once, or not at all and a person is told why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.contracts import AgentState, PaneIdentity
from tmux_sentry.engine import resume
from tmux_sentry.engine.events import AboutToSend, Keys, Send, SendDone, SendHeld, SendMoot
from tmux_sentry.engine.plan import UNSEEN, with_report
from tmux_sentry.engine.sending import AGENT_PAUSE, Job, Ports, carry_out
from tmux_sentry.errors import Unreachable
from tmux_sentry.state.restore import restore
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.capture import capture
from tmux_sentry.tmux.client import CommandClient, Reply
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.model import Capture, PaneInfo
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.watcher import Watcher

AGENT = """
import json, os, select, sys, termios, tty
log = open(sys.argv[1], "a", buffering=1)
lost = int(sys.argv[2])  # so many times it does not notice Enter
termios.tcgetattr(0)
tty.setraw(0)
box = ""
os.write(1, b"\\x1b[?2004h> ")
while True:
    data = os.read(0, 65536).decode()
    pasted = "\\x1b[200~" in data
    for part in ("\\x1b[200~", "\\x1b[201~"):
        data = data.replace(part, "")
    if data == "\\r" and box and lost:
        lost -= 1
    elif data == "\\r" and box:
        log.write(json.dumps(box) + "\\n")
        box = ""
    elif "\\x03" in data:
        break
    else:  # an Enter that comes with the text is part of the text
        box += data.replace("\\r", " ")
    os.write(1, ("\\r\\x1b[K> " + box).encode())
"""


class Killed(BaseException):
    """kill -9, at one exact place."""


class LivePane:
    """The Pane of a send, straight on tmux: a new client when the old one is gone, and a clock that it moves."""

    def __init__(self, server: TmuxServer, pane: str, clock: FakeClock) -> None:
        self.server, self.pane_id, self.clock = server, pane, clock
        self.transport = LocalTransport("here")
        self.held: CommandClient | None = None
        self.waits = 0
        self.on_wait: Callable[[int], None] = lambda number: None
        self.on_capture: Callable[[Capture], None] = lambda seen: None
        self.is_polled = False

    @property
    def client(self) -> CommandClient:
        if self.held is None or not self.held.alive:
            self.held = ControlClient(self.transport, self.server.address)
            self.held.start()
        return self.held

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        return None

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        seen = capture(self.client, identity.pane_id, history)
        self.on_capture(seen)
        return seen

    def polled(self, identity: PaneIdentity) -> bool:
        return self.is_polled

    def in_foreground(self, pid: int) -> bool | None:
        return self.transport.in_foreground(pid)

    def wait_change(self, identity: PaneIdentity, timeout: float) -> object:
        self.waits += 1
        self.on_wait(self.waits)
        self.clock.advance(100.0)
        return None

    def close(self) -> None:
        if self.held is not None:
            self.held.close()
        self.transport.close()


class Faulty:
    """A Store that is killed at a named point: `before intend line`, `after settle text`, ..."""

    def __init__(self, store: Store, point: str = "", at: Callable[[str], None] = lambda point: None) -> None:
        self._store, self._point, self._at = store, point, at
        self.journal: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def intend(self, action_id: str, step: str, **values: Any) -> None:
        self._reach(f"before intend {step}")
        self._store.intend(action_id, step, **values)  # type: ignore[arg-type]
        self._reach(f"after intend {step}")

    def settle(self, action_id: str, step: str, status: Any, reason: str = "") -> None:
        self._reach(f"before settle {step}")
        self._store.settle(action_id, step, status, reason)  # type: ignore[arg-type]
        self._reach(f"after settle {step}")

    def _reach(self, point: str) -> None:
        self.journal.append(point)
        self._at(point)
        if point == self._point:
            raise Killed(point)


@dataclass(kw_only=True)
class Bench:
    """A pane, a journal, and what a send needs."""

    server: TmuxServer
    live: LivePane
    store: Store
    clock: FakeClock
    pane: str
    state: AgentState = AgentState.UNKNOWN
    announced: list[AboutToSend] = field(default_factory=list)

    @property
    def identity(self) -> PaneIdentity:
        return capture(self.live.client, self.pane).info.identity

    def ports(self, **changes: Any) -> Ports:
        values: dict[str, Any] = {
            "watcher": self.live,
            "store": self.store,
            "clock": self.clock,
            "owner": f"{self.store.instance}@here",
            "take_over": False,
            "announce": lambda job, event, seen: self.announced.append(event),
            "agent_state": lambda identity: self.state,
        }
        return Ports(**{**values, **changes})

    def job(self, keys: Keys, action_id: str = "r/s/1/1", wait_idle: float = 300.0) -> Job:
        return Job(action_id=action_id, pane=self.identity, keys=keys, wait_idle=wait_idle, stopped=threading.Event())

    def send(self, keys: Keys, *, wait_idle: float = 300.0, **changes: Any) -> Any:
        return carry_out(self.job(keys, wait_idle=wait_idle), self.ports(**changes))

    def statuses(self, action_id: str = "r/s/1/1") -> list[tuple[str, str]]:
        return [(intent.step, intent.status) for intent in self.store.intents(action_id)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def begin(tmux_server: TmuxServer, clock: FakeClock, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """`begin(command)`: a pane that runs it (a shell), with a database of its own each."""
    closing: list[Any] = []

    def make(pane: str | None = None, database: str = "state.db") -> Bench:
        if pane is None:
            pane = tmux_server.new_session()
            tmux_server.wait_prompt(pane)
        live = LivePane(tmux_server, pane, clock)
        store = Store.open(tmp_path / database / "state.db", clock)
        closing.extend((live, store))
        return Bench(server=tmux_server, live=live, store=store, clock=clock, pane=pane)

    yield make
    for part in closing:
        part.close()


@pytest.fixture
def bench(begin: Callable[..., Bench]) -> Bench:
    return begin()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def agent(begin: Callable[..., Bench], tmux_server: TmuxServer, tmp_path: Path, out: Path) -> Bench:
    """A program with an input box, which loses an Enter that comes with the text."""
    return start_agent(begin, tmux_server, tmp_path, out, 0)


def start_agent(begin: Callable[..., Bench], server: TmuxServer, directory: Path, out: Path, lost: int) -> Bench:
    script = directory / "agent.py"
    script.write_text(AGENT)
    pane = server.new_session(command=f"{sys.executable} {script} {out} {lost}")
    server.wait(lambda: server.screen(pane).startswith(">"), "the agent's box")
    bench = begin(pane)
    bench.state = AgentState.IDLE
    return bench


def typed(out: Path) -> list[str]:
    return out.read_text().splitlines() if out.exists() else []


def append(out: Path) -> Keys:
    return Keys(text=f"echo ran >> {out}")


def wait_typed(bench: Bench, out: Path, count: int = 1) -> None:
    bench.server.wait(lambda: len(typed(out)) >= count, f"{count} lines in the file")
    bench.server.wait_prompt(bench.pane)


# ------------------------------------------------------------------------------ shells


def test_a_line_is_typed_once_and_the_journal_knows(bench: Bench, out: Path) -> None:
    assert bench.send(append(out)) == SendDone(action_id="r/s/1/1")
    wait_typed(bench, out)
    assert typed(out) == ["ran"]
    assert bench.statuses() == [("line", "injected")]
    assert bench.server.show(bench.pane, "#{@sentry_last}") == "1"
    assert bench.server.show(bench.pane, "#{@sentry_owner}") == f"{bench.store.instance}@here"


def test_baseline_and_intent_are_committed_before_a_key(bench: Bench, out: Path) -> None:
    steps: list[str] = []

    def at(point: str) -> None:
        steps.append(point)
        if point.endswith("intend line"):
            assert bench.server.screen(bench.pane) == "$"
            assert bench.server.show(bench.pane, "#{@sentry_last}") == "0"

    bench.send(
        append(out), store=Faulty(bench.store, at=at), announce=lambda job, event, seen: steps.append("announce")
    )
    assert steps == ["announce", "before intend line", "after intend line", "before settle line", "after settle line"]


def test_the_real_watcher_serves_a_send(tmux_server: TmuxServer, begin: Callable[..., Bench], out: Path) -> None:
    from tmux_sentry.clock import SystemClock

    bench = begin()
    transport = LocalTransport("here")
    watcher = Watcher("here", transport, tmux_server.address, lambda record: None, SystemClock())
    watcher.start()
    try:
        watcher.wait_inventory(10.0)
        assert bench.send(append(out), watcher=watcher, clock=SystemClock()) == SendDone(action_id="r/s/1/1")
        wait_typed(bench, out)
    finally:
        watcher.stop()
        transport.close()
    assert typed(out) == ["ran"]


@pytest.mark.parametrize("keys", [Keys(text="echo more"), Keys(keys=("Enter",)), Keys(keys=("C-c",)), Keys(text="")])
@pytest.mark.parametrize("wait_idle", [0.0, 300.0])
def test_half_typed_text_is_never_submitted_nor_removed(bench: Bench, keys: Keys, wait_idle: float) -> None:
    bench.server.send(bench.pane, "echo half")
    bench.server.wait(lambda: bench.server.screen(bench.pane) == "$ echo half", "the half line")
    answer = bench.send(keys, wait_idle=wait_idle)
    assert answer == SendHeld(action_id="r/s/1/1", reason="someone is typing")
    assert 300.0 <= bench.clock.monotonic() <= 400.0
    assert bench.server.screen(bench.pane) == "$ echo half"
    assert bench.store.intents("r/s/1/1") == []


def test_it_goes_on_when_the_half_line_is_gone(bench: Bench, out: Path) -> None:
    bench.server.send(bench.pane, "echo half")
    bench.server.wait(lambda: bench.server.screen(bench.pane) == "$ echo half", "the half line")

    def clear(number: int) -> None:
        if number == 3:
            bench.server.send(bench.pane, "", "C-u")
            bench.server.wait_prompt(bench.pane)

    bench.live.on_wait = clear
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["ran"]


def test_what_a_person_types_at_the_last_moment_stays_theirs(bench: Bench, out: Path) -> None:
    def at(point: str) -> None:
        if point == "after intend line":
            bench.server.send(bench.pane, "#")
            bench.server.wait(lambda: bench.server.screen(bench.pane) == "$ #", "the key")

    answer = bench.send(append(out), store=Faulty(bench.store, at=at))
    assert answer == SendHeld(action_id="r/s/1/1", reason="someone is typing")
    assert bench.server.screen(bench.pane).startswith("$ #")
    assert typed(out) == []
    assert {status for _, status in bench.statuses()} == {"refused"}


def test_a_pause_lasts_as_long_as_it_lasts(bench: Bench, out: Path) -> None:
    bench.server.run("set-option", "-g", "@sentry_hold", "1")

    def release(number: int) -> None:
        assert typed(out) == []
        bench.clock.advance(7200.0)
        if number == 5:
            bench.server.run("set-option", "-gu", "@sentry_hold")

    bench.live.on_wait = release
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["ran"]


def test_a_pause_in_the_last_moment_counts(bench: Bench, out: Path) -> None:
    def at(point: str) -> None:
        if point == "after intend line":
            bench.server.run("set-option", "-p", "-t", bench.pane, "@sentry_hold", "1")

    job = bench.job(append(out))
    bench.live.on_wait = lambda number: job.stopped.set() if number == 3 else None
    assert carry_out(job, bench.ports(store=Faulty(bench.store, at=at))) is None
    assert typed(out) == []


def test_time_without_the_host_does_not_count(bench: Bench, out: Path) -> None:
    gone = [3]

    def fail(seen: Capture) -> None:
        bench.clock.advance(7200.0)
        if gone[0] > 0:
            gone[0] -= 1
            raise Unreachable("here: its tmux server is not reached now")

    bench.live.on_capture = fail
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["ran"]


def test_a_pane_that_cannot_be_reached_is_not_asked_all_the_time(bench: Bench) -> None:
    looks: list[float] = []
    job = bench.job(Keys(text="echo"))

    def fail(seen: Capture) -> None:
        looks.append(time.monotonic())
        if len(looks) == 5:
            job.stopped.set()
        raise Unreachable("here: its tmux server is not reached now")

    bench.live.on_capture = fail
    assert carry_out(job, bench.ports()) is None
    assert looks[-1] - looks[0] > 0.3


def test_a_script_that_shows_as_bash_is_not_an_idle_shell(bench: Bench, tmp_path: Path, out: Path) -> None:
    script, go = tmp_path / "work.sh", tmp_path / "go"
    script.write_text(f"printf '$ '\nuntil [ -e {go} ]; do sleep 0.05; done\necho\n")
    bench.server.send(bench.pane, f"bash {script}", "Enter")
    bench.server.wait(lambda: len(bench.server.screen(bench.pane).splitlines()) == 2, "the script")
    assert bench.server.show(bench.pane, "#{pane_current_command}") == "bash"

    answer = bench.send(append(out))
    assert answer == SendHeld(action_id="r/s/1/1", reason="pane busy: bash is running")
    assert 300.0 <= bench.clock.monotonic() <= 400.0

    bench.live.on_wait = lambda number: go.touch()
    job = bench.job(append(out), "r/s/1/2")
    assert isinstance(carry_out(job, bench.ports()), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["ran"]


def test_several_programs_one_after_the_other_are_one_wait(bench: Bench, out: Path) -> None:
    info = capture(bench.live.client, bench.pane).info
    names = iter(f"step{number}" for number in range(1000))
    bench.live.pane = lambda identity: replace(info, command=next(names))  # type: ignore[method-assign]
    answer = bench.send(append(out))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("pane busy")
    assert bench.clock.monotonic() <= 400.0


def test_a_key_reaches_a_busy_pane_without_waiting(bench: Bench) -> None:
    bench.server.send(bench.pane, "yes", "Enter")
    bench.server.wait(lambda: bench.server.show(bench.pane, "#{pane_current_command}") == "yes", "the flood")
    assert isinstance(bench.send(Keys(keys=("C-c",)), wait_idle=0.0), SendDone)
    bench.server.wait_prompt(bench.pane)


def test_a_busy_pane_gets_no_key_when_told_to_wait(bench: Bench) -> None:
    bench.server.send(bench.pane, "sleep 1000", "Enter")
    bench.server.wait(lambda: bench.server.show(bench.pane, "#{pane_current_command}") == "sleep", "the command")
    answer = bench.send(Keys(keys=("C-c",)), wait_idle=60.0)
    assert answer == SendHeld(action_id="r/s/1/1", reason="pane busy: sleep is running")
    assert bench.server.show(bench.pane, "#{pane_current_command}") == "sleep"


def test_nothing_goes_into_copy_mode(bench: Bench, out: Path) -> None:
    bench.server.run("copy-mode", "-t", bench.pane)
    answer = bench.send(append(out))
    assert isinstance(answer, SendHeld)
    assert "copy mode" in answer.reason
    assert bench.server.show(bench.pane, "#{pane_in_mode}") == "1"


def test_a_pane_that_is_gone_holds(bench: Bench, out: Path) -> None:
    job = bench.job(append(out))
    bench.server.run("split-window", "-d", "-t", bench.pane, "sleep 1000")
    bench.server.run("kill-pane", "-t", bench.pane)
    assert carry_out(job, bench.ports()) == SendHeld(action_id="r/s/1/1", reason="the pane is gone")


def test_text_with_a_key_in_it_is_refused_and_leaves_no_open_intent(bench: Bench) -> None:
    answer = bench.send(Keys(text="echo \x1b[201~ rm"))
    assert isinstance(answer, SendHeld)
    assert "control character" in answer.reason
    assert bench.store.open_intents() == []


# ------------------------------------------------------------------------- killed when?


LINE_POINTS = [f"{when} {what} line" for what in ("intend", "settle") for when in ("before", "after")]


@pytest.mark.parametrize("point", LINE_POINTS)
def test_killed_at_any_point_the_line_is_typed_exactly_once(bench: Bench, out: Path, point: str) -> None:
    """`before settle` is after tmux was asked."""
    with pytest.raises(Killed):
        bench.send(append(out), store=Faulty(bench.store, point))
    answer = restart(bench, append(out))
    assert answer == SendDone(action_id="r/s/1/1")
    wait_typed(bench, out)
    bench.server.send(bench.pane, f"echo end >> {out}", "Enter")
    wait_typed(bench, out, 2)
    assert typed(out) == ["ran", "end"]


def test_killed_between_tmux_and_its_answer_the_line_is_typed_exactly_once(bench: Bench, out: Path) -> None:
    dying: Any = Losing(bench.live.client, "after", Killed)
    bench.live.held = dying
    with pytest.raises(Killed):
        bench.send(append(out))
    assert bench.statuses() == [("line", "intent")]
    wait_typed(bench, out)
    assert restart(bench, append(out)) == SendDone(action_id="r/s/1/1")
    bench.server.send(bench.pane, f"echo end >> {out}", "Enter")
    wait_typed(bench, out, 2)
    assert typed(out) == ["ran", "end"]


AGENT_POINTS = [
    f"{when} {what} {step}"
    for step in ("text", "enter")
    for what in ("intend", "settle")
    for when in ("before", "after")
]


@pytest.mark.parametrize("point", AGENT_POINTS)
def test_killed_at_any_point_an_agent_gets_the_text_once(agent: Bench, out: Path, point: str) -> None:
    with pytest.raises(Killed):
        agent.send(Keys(text="do it"), store=Faulty(agent.store, point))
    answer = restart(agent, Keys(text="do it"))
    if point in ("after settle text", "before settle text", "before intend enter", "after intend enter"):
        assert isinstance(answer, SendHeld)
        assert answer.reason.startswith("typed, not submitted")
        agent.server.wait(lambda: agent.server.screen(agent.pane) == "> do it", "the text, once")
        assert typed(out) == []
    else:
        assert answer == SendDone(action_id="r/s/1/1")
        agent.server.wait(lambda: typed(out), "the submitted text")
        assert typed(out) == ['"do it"']
        assert agent.server.screen(agent.pane) == ">"


def test_killed_after_a_refused_enter_the_text_is_not_typed_again(agent: Bench, out: Path) -> None:
    def at(point: str) -> None:
        if point == "after intend enter":
            agent.server.send(agent.pane, "!")
            agent.server.wait(lambda: agent.server.screen(agent.pane) == "> do it!", "the key")

    with pytest.raises(Killed):
        agent.send(Keys(text="do it"), store=Faulty(agent.store, "after settle enter", at))
    assert agent.statuses() == [("text", "injected"), ("enter", "refused")]
    answer = restart(agent, Keys(text="do it"))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("typed, not submitted")
    assert agent.server.screen(agent.pane) == "> do it!"


def restart(bench: Bench, keys: Keys) -> Any:
    """What `run` does at its next start."""
    send = Send(action_id="r/s/1/1", stage="s", attempt=1, keys=keys, wait_idle=300.0)
    answer = resume.settle(bench.store, send, capture(bench.live.client, bench.pane).info)
    return bench.send(answer.keys) if isinstance(answer, Send) else answer


# ------------------------------------------------------------------- typed is not taken


def test_a_shell_that_shows_nothing_holds_and_the_line_is_typed_once(bench: Bench, out: Path) -> None:
    bench.server.send(bench.pane, "", "C-s")  # the terminal's own stop
    answer = bench.send(append(out))
    assert typed(out) == []
    bench.server.send(bench.pane, "", "C-q")
    assert answer == SendHeld(action_id="r/s/1/1", reason="typed, not seen: the pane shows nothing of it")
    wait_typed(bench, out)
    assert typed(out) == ["ran"]
    assert bench.statuses() == [("line", "injected")]


@pytest.mark.parametrize("text", ["true", "clear", "exec bash --norc --noprofile", "echo one; \\", "sleep 1000", "\n"])
def test_what_a_shell_takes_is_done_whatever_it_shows(bench: Bench, text: str) -> None:
    # That a clean screen was cleared shows only in the time of the pane's last output, which tmux keeps in seconds.
    printed = int(bench.server.show(bench.pane, "#{window_activity}"))
    bench.server.wait(lambda: time.time() > printed + 1, "the next second")
    assert bench.send(Keys(text=text)) == SendDone(action_id="r/s/1/1")
    assert bench.statuses() == [("line", "injected")]


def test_a_lost_enter_is_pressed_once_more(begin: Any, tmux_server: TmuxServer, tmp_path: Path, out: Path) -> None:
    agent = start_agent(begin, tmux_server, tmp_path, out, 1)
    assert agent.send(Keys(text="do it")) == SendDone(action_id="r/s/1/1")
    assert typed(out) == ['"do it"']
    assert agent.statuses() == [("text", "injected"), ("enter", "injected"), ("again", "injected")]


def test_enter_is_not_pressed_a_third_time(begin: Any, tmux_server: TmuxServer, tmp_path: Path, out: Path) -> None:
    agent = start_agent(begin, tmux_server, tmp_path, out, 2)
    answer = agent.send(Keys(text="do it"))
    assert answer == SendHeld(action_id="r/s/1/1", reason="typed, not submitted: it still stands in the input line")
    assert tmux_server.screen(agent.pane) == "> do it"
    assert typed(out) == []


@pytest.mark.parametrize("when", ["after settle enter", "after intend again"])
def test_a_lost_enter_is_not_pressed_again_on_what_a_person_typed(
    begin: Any, tmux_server: TmuxServer, tmp_path: Path, out: Path, when: str
) -> None:
    agent = start_agent(begin, tmux_server, tmp_path, out, 1)

    def at(point: str) -> None:
        if point == when:
            agent.server.send(agent.pane, "!")
            agent.server.wait(lambda: agent.server.screen(agent.pane) == "> do it!", "the key")

    answer = agent.send(Keys(text="do it"), store=Faulty(agent.store, at=at))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("typed, not submitted")
    assert "someone" in answer.reason
    assert tmux_server.screen(agent.pane) == "> do it!"
    assert typed(out) == []


@pytest.mark.parametrize(
    "point", [f"{when} {what} again" for what in ("intend", "settle") for when in ("before", "after")]
)
def test_killed_around_the_second_enter_nothing_is_typed_twice(
    begin: Any, tmux_server: TmuxServer, tmp_path: Path, out: Path, point: str
) -> None:
    agent = start_agent(begin, tmux_server, tmp_path, out, 1)
    with pytest.raises(Killed):
        agent.send(Keys(text="do it"), store=Faulty(agent.store, point))
    answer = restart(agent, Keys(text="do it"))
    if point == "before intend again":  # the journal has Enter, and cannot know that the agent has lost it
        assert answer == SendDone(action_id="r/s/1/1")
    elif point == "after intend again":
        assert isinstance(answer, SendHeld)
        assert answer.reason.startswith("typed, not submitted")
    else:
        assert answer == SendDone(action_id="r/s/1/1")
        assert typed(out) == ['"do it"']
    assert len(typed(out)) <= 1


# ---------------------------------------------------------------------- whose pane it is


def test_a_pane_of_ours_under_another_hosts_name_is_not_to_be_taken_over(bench: Bench, out: Path) -> None:
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    answer = carry_out(bench.job(append(out), "r/s/1/2"), bench.ports(owner=f"{bench.store.instance}@nas"))
    assert isinstance(answer, SendHeld)
    assert answer.reason == (
        "this very instance has claimed the pane as one of host here: name each tmux server only once"
    )
    assert typed(out) == ["ran"]


def test_of_two_databases_the_second_is_refused_and_names_the_owner(begin: Callable[..., Bench], out: Path) -> None:
    first = begin()
    second = begin(first.pane, "other")
    assert isinstance(first.send(append(out)), SendDone)
    wait_typed(first, out)
    answer = second.send(append(out))
    assert isinstance(answer, SendHeld)
    assert first.store.instance in answer.reason
    assert "--take-over" in answer.reason
    assert typed(out) == ["ran"]


def test_taking_over_locks_the_other_one_out(begin: Callable[..., Bench], out: Path) -> None:
    first = begin()
    second = begin(first.pane, "other")
    first.send(append(out))
    wait_typed(first, out)
    assert isinstance(second.send(append(out), take_over=True), SendDone)
    wait_typed(first, out, 2)
    answer = carry_out(first.job(append(out), "r/s/1/2"), first.ports())
    assert isinstance(answer, SendHeld)
    assert second.store.instance in answer.reason
    assert isinstance(carry_out(second.job(append(out), "r/s/1/2"), second.ports()), SendDone)


def test_after_an_old_database_came_back_nothing_is_typed_twice(bench: Bench, out: Path) -> None:
    """The backup knows the plan, not that it was carried out."""
    bench.send(Keys(text="true"))
    bench.server.wait_prompt(bench.pane)
    old = bench.store.fence(bench.identity.key)
    assert old is not None
    assert isinstance(carry_out(bench.job(append(out), "r/s/1/2"), bench.ports()), SendDone)
    wait_typed(bench, out)

    class Restored(Faulty):
        def fence(self, pane_key: str) -> Any:
            return old

        def intents(self, action_id: str) -> Any:
            return []

    restored: Any = Restored(bench.store)
    send = Send(action_id="r/s/1/2", stage="s", attempt=1, keys=append(out), wait_idle=300.0)
    answer = resume.settle(restored, send, capture(bench.live.client, bench.pane).info)
    assert isinstance(answer, SendHeld)
    assert "newer than the journal" in answer.reason
    answer = carry_out(bench.job(append(out), "r/s/1/3"), bench.ports(store=restored))
    assert isinstance(answer, SendHeld)
    assert "--take-over" in answer.reason
    assert typed(out) == ["ran"]


# ------------------------------------------------------------------------- a lost reply


class Losing:
    """A client whose guard loses its first reply, `before` or `after` tmux has carried the command out."""

    def __init__(self, real: CommandClient, fate: str, error: type[BaseException] = Unreachable) -> None:
        self._real, self._fate, self._error = real, fate, error
        self.kept: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def converse(self, line: str, until: Callable[[Reply], bool], timeout: float = 5.0) -> list[Reply]:
        if "SENT" not in line or self.kept:
            return self._real.converse(line, until, timeout)
        self.kept.append(line)
        if self._fate == "after":
            self._real.converse(line, until, timeout)
        raise self._error("here: the tmux client is gone")


@pytest.mark.parametrize(
    ("fate", "statuses"),
    [("after", ["injected"]), ("before", ["refused", "injected"])],
)
def test_a_lost_reply_is_settled_by_the_marker(bench: Bench, out: Path, fate: str, statuses: list[str]) -> None:
    losing: Any = Losing(bench.live.client, fate)
    bench.live.held = losing
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["ran"]
    assert [status for _, status in bench.statuses()] == statuses


@pytest.mark.parametrize("moment", ["before the next try", "in the next try"])
def test_a_command_that_arrives_late_is_not_typed_again(bench: Bench, out: Path, moment: str) -> None:
    """A hanging SSH link delivers it after the marker was read. Afterwards the cursor stands where it stood."""
    keys = Keys(text=f"echo ran >> {out}; clear")
    real = bench.live.client
    losing: Any = Losing(real, "before")
    bench.live.held = losing
    done: list[bool] = []

    def deliver() -> None:
        if losing.kept and not done:
            done.append(True)
            real.converse(losing.kept[0], lambda reply: any("SENT" in line for line in reply.lines))
            wait_typed(bench, out)

    def at(point: str) -> None:
        if moment == "in the next try" and point == "before intend line":
            deliver()

    bench.live.on_wait = lambda number: deliver() if moment == "before the next try" else None
    assert isinstance(bench.send(keys, store=Faulty(bench.store, at=at)), SendDone)
    bench.server.send(bench.pane, f"echo end >> {out}", "Enter")
    wait_typed(bench, out, 2)
    assert done
    assert typed(out) == ["ran", "end"]


def test_what_stays_unknown_is_held_and_never_typed_again(bench: Bench, out: Path) -> None:
    losing: Any = Losing(bench.live.client, "after")
    bench.live.held = losing
    job = bench.job(append(out))

    def fail(seen: Capture) -> None:
        if losing.kept:
            raise Unreachable("here: its tmux server is not reached now")

    bench.live.on_capture = fail
    bench.live.on_wait = lambda number: job.stopped.set() if number == 4 else None
    answer = carry_out(job, bench.ports())
    assert isinstance(answer, SendHeld)
    assert "cannot be known" in answer.reason
    assert bench.statuses() == [("line", "unknown")]
    bench.live.on_capture = lambda seen: None
    wait_typed(bench, out)
    bench.server.run("set-option", "-p", "-t", bench.pane, "@sentry_last", "0")  # not even if the marker lies
    again = bench.send(append(out))
    assert isinstance(again, SendHeld)
    assert typed(out) == ["ran"]


# ---------------------------------------------------------------------- after a restore


def restored(bench: Bench) -> Bench:
    """The same database, back from a backup of this moment."""
    path = bench.store.path
    assert path is not None
    made = bench.store.backup("by-hand")
    bench.store.close()
    restore(path, made, bench.clock.now(), "the database was damaged")
    return replace(bench, store=Store.open(path, bench.clock))


def test_while_observing_a_pane_is_not_even_claimed_and_afterwards_gets_the_new_epoch(bench: Bench, out: Path) -> None:
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    bench = restored(bench)
    answer = carry_out(bench.job(append(out), "r/s/1/2"), bench.ports())
    assert isinstance(answer, SendHeld)
    assert "observing only since" in answer.reason
    assert bench.store.intents("r/s/1/2") == []
    assert capture(bench.live.client, bench.pane).info.epoch == "1"
    bench.store.go_on()
    assert isinstance(carry_out(bench.job(append(out), "r/s/1/2"), bench.ports()), SendDone)
    wait_typed(bench, out, 2)
    assert capture(bench.live.client, bench.pane).info.epoch == str(bench.store.first_epoch)
    assert typed(out) == ["ran", "ran"]
    bench.store.close()


def test_a_try_that_tmux_carried_out_late_is_still_known_after_a_restore(bench: Bench, out: Path) -> None:
    """The pane then has a new epoch and the marker of that try: it must not be typed again."""
    assert isinstance(bench.send(append(out)), SendDone)
    wait_typed(bench, out)
    bench.store.settle("r/s/1/1", "line", "refused", "the command did not reach tmux")  # so it had seemed
    bench = restored(bench)
    bench.store.go_on()
    assert isinstance(bench.send(append(out)), SendDone)
    assert bench.statuses() == [("line", "injected")]
    assert typed(out) == ["ran"]
    bench.store.close()


# ------------------------------------------------------------------------------- agents


def test_an_agent_gets_text_and_then_enter(agent: Bench, out: Path) -> None:
    began = time.monotonic()
    assert isinstance(agent.send(Keys(text="fix the build")), SendDone)
    assert time.monotonic() - began >= AGENT_PAUSE >= 0.3
    agent.server.wait(lambda: typed(out), "the submitted text")
    assert [json.loads(line) for line in typed(out)] == ["fix the build"]
    assert agent.statuses() == [("text", "injected"), ("enter", "injected")]


def test_an_agent_that_works_is_left_alone(agent: Bench, out: Path) -> None:
    agent.state = AgentState.WORKING
    answer = agent.send(Keys(text="fix"))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("pane busy")
    assert agent.server.screen(agent.pane) == ">"


def resumes(bench: Bench, text: str = "go on") -> Any:
    return carry_out(replace(bench.job(Keys(text=text)), resumes=True), bench.ports())


def test_an_agent_at_its_limit_gets_the_message_that_goes_on(agent: Bench, out: Path) -> None:
    agent.state = AgentState.LIMITED
    assert isinstance(resumes(agent), SendDone)
    agent.server.wait(lambda: typed(out), "the message")
    assert [json.loads(line) for line in typed(out)] == ["go on"]


def test_an_agent_at_no_limit_gets_no_such_message(agent: Bench) -> None:
    agent.state = AgentState.IDLE
    answer = resumes(agent)
    assert isinstance(answer, SendMoot)
    assert answer.reason == "the usage limit is over"
    assert agent.server.screen(agent.pane) == ">"


def test_the_message_is_not_typed_into_a_draft(agent: Bench, out: Path) -> None:
    agent.state = AgentState.LIMITED
    agent.server.send(agent.pane, "mine")
    agent.server.wait(lambda: agent.server.screen(agent.pane) == "> mine", "the draft")
    answer = resumes(agent)
    assert isinstance(answer, SendHeld)
    assert answer.reason == "someone is typing"
    assert agent.server.screen(agent.pane) == "> mine"


def test_the_message_is_no_command_for_the_shell_of_an_agent_that_has_ended(bench: Bench, out: Path) -> None:
    bench.state = AgentState.LIMITED
    answer = resumes(bench, f"echo ran >> {out}")
    assert isinstance(answer, SendHeld)
    assert answer.reason == "the agent has ended: its shell is back"
    assert typed(out) == []


def test_any_other_text_waits_as_long_as_the_limit_lasts(agent: Bench, out: Path) -> None:
    agent.state = AgentState.LIMITED

    def over(number: int) -> None:
        if number == 10:  # 1,000 seconds
            agent.state = AgentState.IDLE

    agent.live.on_wait = over
    assert isinstance(agent.send(Keys(text="fix")), SendDone)
    agent.server.wait(lambda: typed(out), "the text")


@pytest.mark.parametrize("wait_idle", [0.0, 300.0])
def test_a_draft_in_the_agents_box_is_left_alone(agent: Bench, out: Path, wait_idle: float) -> None:
    agent.server.send(agent.pane, "my own id")
    agent.server.wait(lambda: agent.server.screen(agent.pane) == "> my own id", "the draft")
    answer = agent.send(Keys(text="fix"), wait_idle=wait_idle)
    assert answer == SendHeld(action_id="r/s/1/1", reason="someone is typing")
    assert agent.server.screen(agent.pane) == "> my own id"
    assert typed(out) == []


@pytest.mark.parametrize("point", ["after settle text", "before intend enter", "after intend enter"])
def test_an_agents_text_is_not_submitted_with_what_a_person_added(agent: Bench, out: Path, point: str) -> None:
    """Between paste and the look at it, after the look, and between the journal and tmux."""

    def at(reached: str) -> None:
        if reached == point:
            agent.server.wait(lambda: agent.server.screen(agent.pane) == "> fix", "the text")
            agent.server.send(agent.pane, " not")
            agent.server.wait(lambda: agent.server.screen(agent.pane) == "> fix not", "the person's text")

    answer = agent.send(Keys(text="fix"), store=Faulty(agent.store, at=at))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("typed, not submitted: someone")
    assert agent.server.screen(agent.pane) == "> fix not"
    assert typed(out) == []


DIALOG = r"""
printf 'Do you want to proceed?\n> 1. Yes\n  2. No\n'
read -r answer && echo "$answer" >> OUT
"""


def asking(bench: Bench, tmp_path: Path, out: Path, script: str) -> None:
    path = tmp_path / "asks.py"
    path.write_text(f"import subprocess\nsubprocess.run(['sh', '-c', {script.replace('OUT', str(out))!r}])\n")
    bench.server.send(bench.pane, f"{sys.executable} {path}", "Enter")


@pytest.mark.parametrize("wait_idle", [0.0, 300.0])
def test_a_dialog_gets_no_text_that_is_no_answer_to_it(
    bench: Bench, tmp_path: Path, out: Path, wait_idle: float
) -> None:
    asking(bench, tmp_path, out, DIALOG)
    bench.server.wait(lambda: "2. No" in bench.server.screen(bench.pane), "the dialog")
    bench.state = AgentState.IDLE
    answer = bench.send(Keys(text="fix the build"), wait_idle=wait_idle)
    assert answer == SendHeld(action_id="r/s/1/1", reason="pane busy: a dialog waits for an answer")
    assert "fix" not in bench.server.screen(bench.pane).splitlines()[-1]
    assert bench.store.intents("r/s/1/1") == []


def test_a_dialog_can_be_answered_without_waiting(bench: Bench, tmp_path: Path, out: Path) -> None:
    asking(bench, tmp_path, out, DIALOG)
    bench.server.wait(lambda: "2. No" in bench.server.screen(bench.pane), "the dialog")
    assert isinstance(bench.send(Keys(text="2"), wait_idle=0.0), SendDone)
    wait_typed(bench, out)
    assert typed(out) == ["2"]


def test_a_text_that_does_not_show_is_not_submitted(bench: Bench, tmp_path: Path, out: Path) -> None:
    """A dialog that came in between, a password prompt: Enter would do something else there."""
    asking(bench, tmp_path, out, "stty -echo; printf 'Password: '; read -r answer && echo got >> OUT")
    bench.server.wait(lambda: bench.server.screen(bench.pane).endswith("Password:"), "the question")
    answer = bench.send(Keys(text="fix the build"), wait_idle=0.0)
    assert answer == SendHeld(action_id="r/s/1/1", reason="typed, not submitted: the program does not show it")
    assert typed(out) == []


def test_a_person_who_searches_the_history_of_zsh_is_left_alone(bench: Bench, out: Path) -> None:
    bench.server.send(bench.pane, "clear; printf '\\nbck-i-search: _\\r\\033[A'", "Enter")
    bench.server.wait(lambda: bench.server.screen(bench.pane).splitlines() == ["$", "bck-i-search: _"], "the search")
    assert bench.send(append(out)) == SendHeld(action_id="r/s/1/1", reason="someone is typing")
    assert typed(out) == []


@pytest.mark.parametrize("shell", [name for name in ("sh", "bash", "dash", "ksh", "zsh", "fish") if shutil.which(name)])
@pytest.mark.parametrize("text", ["sh -c 'exit 3'", "sh -c 'exit 3';", "sh -c 'exit 3'\n"])
def test_report_exit_tells_the_status_in_every_shell(shell: str, text: str) -> None:
    line = with_report(text)
    done = subprocess.run([shell, "-c", line], capture_output=True, text=True, check=False)
    assert (done.stdout.count("\x1b]133;D;3;sentry\x07"), done.stderr) == (1, "")


def test_a_command_in_the_background_is_followed_by_its_report() -> None:
    done = subprocess.run(["bash", "-c", with_report("true &")], capture_output=True, text=True, check=False)
    assert "\x1b]133;D;0;sentry\x07" in done.stdout


def test_report_exit_is_refused_in_a_shell_that_cannot(bench: Bench) -> None:
    real = bench.live.capture

    def csh(identity: PaneIdentity, history: int | None = 0) -> Capture:
        seen = real(identity, history)
        return replace(seen, info=replace(seen.info, command="tcsh"))

    bench.live.capture = csh  # type: ignore[method-assign]
    answer = bench.send(Keys(text=with_report("make")))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("report_exit does not work in tcsh")
    assert bench.store.intents("r/s/1/1") == []


@pytest.mark.parametrize(
    ("polled", "needs_exit", "goes"),
    [(False, True, True), (True, False, True), (True, True, False)],
)
def test_what_lives_by_its_exit_status_is_typed_only_where_that_is_seen(
    bench: Bench, out: Path, polled: bool, needs_exit: bool, goes: bool
) -> None:
    bench.live.is_polled = polled
    job = replace(bench.job(Keys(text=with_report(append(out).text))), needs_exit=needs_exit)
    answer = carry_out(job, bench.ports())
    if goes:
        assert isinstance(answer, SendDone)
        wait_typed(bench, out)
    else:
        assert answer == SendHeld(action_id="r/s/1/1", reason=UNSEEN)
        assert bench.store.intents("r/s/1/1") == []
        assert bench.server.screen(bench.pane) == "$"


def test_stopped_between_text_and_enter_presses_nothing(agent: Bench, out: Path) -> None:
    job = agent.job(Keys(text="fix"))

    def at(point: str) -> None:
        if point == "after settle text":
            job.stopped.set()

    answer = carry_out(job, agent.ports(store=Faulty(agent.store, at=at)))
    assert isinstance(answer, SendHeld)
    assert answer.reason.startswith("typed, not submitted")
    agent.server.wait(lambda: agent.server.screen(agent.pane) == "> fix", "the text")
    assert typed(out) == []


def test_when_the_agent_has_ended_its_shell_gets_no_enter(bench: Bench, tmp_path: Path, out: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text(AGENT)
    bench.server.send(
        bench.pane, f"{sys.executable} {script} {out} 0; printf '> fix'; read x; touch {out}.submitted", "Enter"
    )
    bench.server.wait(lambda: bench.server.screen(bench.pane).splitlines()[-1] == ">", "the agent's box")
    bench.state = AgentState.IDLE

    def at(point: str) -> None:
        if point == "after settle text":
            bench.server.send(bench.pane, "", "C-c")
            shell = "bash"
            bench.server.wait(lambda: bench.server.show(bench.pane, "#{pane_current_command}") == shell, "the shell")

    answer = bench.send(Keys(text="fix"), store=Faulty(bench.store, at=at))
    assert isinstance(answer, SendHeld)
    assert "another program is in the foreground" in answer.reason
    assert not Path(f"{out}.submitted").exists()


def test_stopped_before_anything_was_typed_is_silent(bench: Bench, out: Path) -> None:
    job = bench.job(append(out))
    ports = bench.ports(announce=lambda job, event, seen: job.stopped.set())
    assert carry_out(job, ports) is None
    assert bench.store.intents("r/s/1/1") == []
    assert typed(out) == []
