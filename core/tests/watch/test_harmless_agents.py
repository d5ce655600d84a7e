"""Watching is never felt by the agents: none waits for us, whether we read, fall behind, stand still or are killed."""

from __future__ import annotations

import logging
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Lines, PaneClosed
from tmux_sentry.testing.tmux_server import SHELL, running_server
from tmux_sentry.tmux.streams import OutputStream
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.events import HostDown, Inventoried, WatchRecord
from tmux_sentry.watch.watcher import Watcher

Begin = Callable[..., Watcher]
IDLE = "sleep 1000"
#: Seconds, several times what counts as blocked; and longer until more was printed than tmux may keep.
STANDSTILL = float(os.environ.get("STANDSTILL", "20"))
#: Seconds without progress from which on an agent counts as blocked.
BLOCKED = 5.0
#: MB that tmux may keep for a client that does not read.
KEPT = 50

#: Seconds that the agents rest after each 16 kB: one floods.
PAUSES = (0.002, 0.05, 0.05)

_log = logging.getLogger(__name__)

#: Prints 16 kB at a time and notes when each was taken from it.
AGENT = """\
import sys, time
from pathlib import Path

stop, progress, pause = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1), float(sys.argv[3])
block = ("." * 79 + "\\n") * 200
while not stop.exists():
    sys.stdout.write(block)
    sys.stdout.flush()
    progress.write(f"{time.monotonic()}\\n")
    time.sleep(pause)
"""

#: A process that only watches, and says what it is told except the agents' dots and all but the first "y" of a `yes`.
WATCH = """\
import os, sys
from tmux_sentry.clock import SystemClock
from tmux_sentry.contracts import Lines, Screen
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.local import LocalTransport
from tmux_sentry.watch.events import Attached, HostDown
from tmux_sentry.watch.watcher import Watcher

flooded = set()

def tell(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # at once: several threads tell

def say(record):
    match record:
        case Lines():
            for line in record.lines:
                if not line.startswith(".") and (line != "y" or record.pane.pane_id not in flooded):
                    tell(record.pane.pane_id, line)
                if line == "y":
                    flooded.add(record.pane.pane_id)
        case Screen(resync=True):
            tell("captured", record.pane.pane_id)
        case Attached():
            tell("attached", *record.pids)
        case HostDown():
            tell("down", record.why)

watcher = Watcher("here", LocalTransport("here"), TmuxAddress(socket_path=sys.argv[1]), say, SystemClock())
watcher.start()
sys.stdin.read()
watcher.stop()
"""


class Agent:
    """A program in a pane that prints a lot, and whose progress can be read while it is at it."""

    def __init__(self, directory: Path, name: str, pause: float) -> None:
        """It rests `pause` seconds after each 16 kB."""
        self._progress, self._stop = directory / f"progress-{name}", directory / f"stop-{name}"
        script = directory / "agent.py"
        script.write_text(AGENT)
        self.command = f"{sys.executable} {script} {self._stop} {self._progress} {pause}"

    @property
    def times(self) -> list[float]:
        """When it got rid of a block (monotonic), without the one that is just being noted."""
        text = self._progress.read_text() if self._progress.exists() else ""
        return [float(line) for line in text[: text.rfind("\n") + 1].split()]

    def longest_gap(self) -> float:
        """Seconds, up to now."""
        times = [*self.times, time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))

    def end(self) -> None:
        self._stop.touch()


class WatchingProcess:
    """A Watcher in a process of its own, which can be stopped and killed."""

    def __init__(self, server: Any) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", WATCH, server.address.socket_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as stream:
            self.said.extend(line.rstrip("\n") for line in stream)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def attached(self) -> set[int]:
        """What it last said to have attached."""
        words = [line.split()[1:] for line in self.said if line.startswith("attached")]
        return {int(pid) for pid in words[-1]} if words else set()

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def close(self) -> None:
        """Let it leave cleanly; kill it if it does not."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(20)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(10)
        self._reader.join(10)


@pytest.fixture
def watching(tmux_server: Any) -> Iterator[Callable[[], WatchingProcess]]:
    """`watching()` starts a process with a Watcher of the private server."""
    processes: list[WatchingProcess] = []

    def begin() -> WatchingProcess:
        processes.append(WatchingProcess(tmux_server))
        return processes[-1]

    yield begin
    for process in processes:
        process.signal(signal.SIGCONT)
        process.close()


def rss(pid: int) -> int:
    """Resident memory in MB."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024


def clients(server: Any) -> set[int]:
    return set(map(int, server.run("list-clients", "-F", "#{client_pid}").split()))


# ----------------------------------------------------------------------- who stands still


@pytest.mark.slow
def test_a_watcher_that_stands_still_blocks_no_agent_and_then_goes_on(
    tmux_server: Any, watching: Callable[[], WatchingProcess]
) -> None:
    """Nobody else is attached: only when all clients are control clients that do not read may tmux block a pane."""
    panes = [tmux_server.new_session("one"), tmux_server.new_session("two")]
    panes.append(tmux_server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", panes[0], SHELL))
    process = watching()
    for pane in panes:
        tmux_server.wait_prompt(pane)
        tmux_server.wait(lambda pane=pane: f"captured {pane}" in process.said, f"the first capture of {pane}")
    server, memory = tmux_server.pid, rss(tmux_server.pid)

    agents = [Agent(tmux_server.directory, f"agent{number}", pause) for number, pause in enumerate(PAUSES)]
    for pane, agent in zip(panes, agents, strict=True):
        tmux_server.send(pane, agent.command, "Enter")
    tmux_server.wait(lambda: all(len(agent.times) > 20 for agent in agents), "some output of all agents")
    process.signal(signal.SIGSTOP)
    until = time.monotonic() + STANDSTILL
    while time.monotonic() < until or sum(len(agent.times) for agent in agents) * 16 / 1024 < 2 * KEPT:
        time.sleep(1.0)
        gaps = [agent.longest_gap() for agent in agents]
        assert max(gaps) < BLOCKED, gaps
        assert rss(server) < memory + KEPT, "tmux keeps what we do not read"
    process.signal(signal.SIGCONT)
    for agent in agents:
        agent.end()
    _log.info("gaps %s s, tmux %d -> %d MB", [round(agent.longest_gap(), 2) for agent in agents], memory, rss(server))

    for pane in panes:
        tmux_server.wait_prompt(pane)
        # What is still under way from before may end in a capture; what is printed after that comes as lines.
        _say_until_heard(tmux_server, process, pane)
        tmux_server.send(pane, "seq -f 'later %g' 100", "Enter")
        tmux_server.wait(lambda pane=pane: f"{pane} later 100" in process.said, f"the later lines of {pane}")
        later = [line for line in process.said if line.startswith(f"{pane} later ")]
        assert later == [f"{pane} later {number}" for number in range(1, 101)]
        assert process.said.count(f"captured {pane}") > 1
    assert tmux_server.pid == server
    process.close()
    assert clients(tmux_server) == set()


def _say_until_heard(server: Any, process: WatchingProcess, pane: str) -> None:
    for number in range(30):
        server.send(pane, f"echo; echo he''ard {number}", "Enter")
        try:
            server.wait(lambda: f"{pane} heard {number}" in process.said, timeout=1.0)  # noqa: B023 - used at once
        except AssertionError:
            continue
        return
    raise AssertionError(f"nothing of {pane} is heard any more")


def test_streams_without_a_command_client_would_block_an_agent() -> None:
    """Why there is always one. Whether tmux 3.3a blocks depends on where its buffers stand: about every second time."""
    assert any(_blocks_without_a_command_client() for _ in range(12))


def _blocks_without_a_command_client() -> bool:
    reading = threading.Event()
    with running_server() as server:
        pane = server.new_session()
        server.wait_prompt(pane)
        stream = OutputStream(
            LocalTransport("here"),
            server.address,
            "$0",
            on_output=lambda pane_id, data, age: bool(reading.wait(60)),
            on_gap=lambda pane_id: None,
            on_exit=lambda reason: None,
        )
        stream.start()
        agent = Agent(server.directory, "agent", 0.001)
        server.send(pane, agent.command, "Enter")
        try:
            # It is decided as soon as the pipe is full; a megabyte later nothing blocks any more.
            server.wait(lambda: len(agent.times) > 100 or (agent.times and agent.longest_gap() > 2.0), "the outcome")
            return len(agent.times) <= 100
        finally:
            reading.set()
            agent.end()
            stream.close()


@pytest.mark.slow
@pytest.mark.parametrize("read", [True, False], ids=["a pane that is read", "a pane that nobody wants"])
def test_tmux_does_not_keep_what_a_pane_prints_after_it_moved_away(
    tmux_server: Any, log: Any, watch: Begin, read: bool
) -> None:
    """tmux 3.3a keeps it for the client of the session that the pane was in, without end."""
    agent = Agent(tmux_server.directory, "agent", 0.004)
    stays = tmux_server.new_session("work", "stays", IDLE)
    tmux_server.new_session("other", "there", IDLE)
    pane = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-n", "goes", "-t", "work:1", agent.command)
    watcher = watch(want=lambda info: read or info.window_name == "stays", interval=0.3)
    log.wait_ready(stays)
    tmux_server.wait(lambda: len(agent.times) > 200, "some output")
    tmux_server.run("move-window", "-d", "-s", "work:1", "-t", "other:1")
    log.wait(lambda: watcher.pane(log.identity(pane)).session_name == "other", "the other session")
    before, memory = len(agent.times), rss(tmux_server.pid)
    tmux_server.wait(lambda: len(agent.times) > before + 2000, "32 MB of output", timeout=90)
    assert rss(tmux_server.pid) < memory + 20  # it may keep what a busy reader has not taken for three seconds
    agent.end()


# ------------------------------------------------------------------------- sessions that end


class Gate:
    """A sink that can be shut for a pane: whoever brings a line of it then waits, and so does the stream."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._pane = ""
        self._open = threading.Event()
        self.waited = threading.Event()

    def __call__(self, record: WatchRecord) -> None:
        if isinstance(record, Lines) and record.pane.pane_id == self._pane:
            self.waited.set()
            self._open.wait(30)
        self._log(record)

    def shut(self, pane: str) -> None:
        self._open.clear()
        self.waited.clear()
        self._pane = pane

    def open(self) -> None:
        self._pane = ""
        self._open.set()


@pytest.mark.parametrize("reading", [True, False], ids=["while it is read", "while nobody reads"])
def test_a_session_that_is_killed_in_full_flood_harms_no_other(
    tmux_server: Any, log: Any, count: Any, reading: bool
) -> None:
    counting = count("n")
    stays = tmux_server.new_session("stays", command=counting.command + "; exec sleep 1000")
    server = tmux_server.pid
    gate = Gate(log)
    watcher = Watcher("here", LocalTransport("here"), tmux_server.address, gate, SystemClock(), interval=0.3)
    watcher.start()
    try:
        log.wait_ready(stays)
        goes = []
        for number in range(3):
            agent = Agent(tmux_server.directory, f"agent{number}", 0.001)
            goes.append(tmux_server.new_session("goes", command=agent.command))
            log.wait(lambda pane=goes[-1]: len(log.lines(pane)) > 1000, "the flood")
            if not reading:
                gate.shut(goes[-1])
                assert gate.waited.wait(10)
                blocks = len(agent.times)
                tmux_server.wait(lambda agent=agent, blocks=blocks: len(agent.times) > blocks + 100, "a full pipe")
            tmux_server.run("kill-session", "-t", "goes")
            if not reading:
                # What tmux does once a second it does with this client as well (subscriptions: a crash in 3.3a).
                beyond = len(counting.told(stays)) + 150
                log.wait(lambda beyond=beyond: len(counting.told(stays)) > beyond, "the others, who go on")
            gate.open()
            log.wait(lambda: [c.pane.pane_id for c in log.all(PaneClosed)] == goes, "PaneClosed", timeout=20)
            assert tmux_server.pid == server
        counting.wait_more(stays)
        counting.end_once(stays)
        assert not log.all(HostDown)
    finally:
        gate.open()
        watcher.stop()


@pytest.mark.parametrize("how", ["apart", "linked", "group"])
def test_a_client_that_is_moved_to_another_session_doubles_no_line(
    tmux_server: Any, log: Any, watch: Begin, count: Any, how: str
) -> None:
    """With `detach-on-destroy off` tmux moves a client whose session was killed, instead of detaching it."""
    counting = count("n")
    command = counting.command + "; exec sleep 1000"
    own = tmux_server.new_session("one", command=IDLE if how == "apart" else command)
    tmux_server.run("set-option", "-g", "detach-on-destroy", "off")
    if how == "group":
        tmux_server.run("new-session", "-d", "-s", "two", "-t", "one")
    pane = own if how == "group" else tmux_server.new_session("two", command=command if how == "apart" else IDLE)
    if how == "linked":
        tmux_server.run("link-window", "-d", "-s", "one:main", "-t", "two:5")
        pane = own
    watch(interval=0.3)
    log.wait_ready(own)
    log.wait_ready(pane)
    counting.wait_more(pane)
    attached = clients(tmux_server)
    tmux_server.run("kill-session", "-t", "one")
    counting.wait_more(pane, 100)
    counting.end_once(pane)
    if how == "apart":  # its own stream never ended: not even a capture was needed
        assert counting.told(pane) == list(range(counting.told(pane)[0], counting.told(pane)[-1] + 1))
    tmux_server.wait(lambda: len(clients(tmux_server)) == 2, "the command client and one stream")
    assert clients(tmux_server) != attached
    assert [closed.pane.pane_id for closed in log.all(PaneClosed)] == ([own] if how == "apart" else [])
    assert not log.all(HostDown)


# ----------------------------------------------------------------------------- who leaves


@pytest.mark.slow
def test_leaving_in_full_flood_never_ends_the_server(tmux_server: Any, log: Any, watch: Begin) -> None:
    """tmux 3.3a ends itself in one of twenty cases when a client leaves with an empty line while it gets output."""
    panes = [tmux_server.new_session(f"work{number}", command="yes") for number in range(3)]
    server = tmux_server.pid
    watch(want=lambda info: False)  # its command client is all that it attaches
    log.wait(lambda: log.all(Inventoried), "an inventory")
    transport = LocalTransport("here")
    exits: list[str] = []
    for _ in range(20):
        received = dict.fromkeys(panes, 0)

        def count(pane_id: str, data: bytes, age: float, received: dict[str, int] = received) -> None:
            received[pane_id] += len(data)

        streams = [
            OutputStream(transport, tmux_server.address, f"${number}", count, lambda pane_id: None, exits.append)
            for number in range(3)
        ]
        for stream in streams:
            stream.start()
        tmux_server.wait(lambda received=received: min(received.values()) > 50_000, "output of every pane")
        for stream in streams:
            stream.close()
        assert alive(server)
    assert exits == ["detached"] * 60
    assert len(clients(tmux_server)) == 1
    transport.close()


# ---------------------------------------------------------------------------- who is killed


@pytest.fixture
def in_floods(tmux_server: Any, watching: Callable[[], WatchingProcess]) -> Callable[[], WatchingProcess]:
    """`in_floods()` starts a process with a Watcher that reads three panes which print without end."""
    for number in range(3):
        tmux_server.new_session(f"work{number}", command="yes")

    def begin() -> WatchingProcess:
        process = watching()
        flooded = [f"%{number} y" for number in range(3)]
        tmux_server.wait(lambda: len(process.attached) == 4 and set(flooded) <= set(process.said), "the floods")
        assert process.attached == clients(tmux_server)
        return process

    return begin


@pytest.mark.slow
def test_a_watcher_that_is_killed_in_full_flood_leaves_nothing_and_the_server_goes_on(
    tmux_server: Any, in_floods: Callable[[], WatchingProcess]
) -> None:
    """When a stream's pipes are simply closed tmux 3.3a ends itself in one of eight cases, else keeps the client."""
    server = tmux_server.pid
    for _ in range(12):
        process = in_floods()
        attached = process.attached
        process.signal(signal.SIGKILL)
        process.close()
        tmux_server.wait(lambda: not alive(server) or not clients(tmux_server), "the end of the clients")
        assert alive(server)
        tmux_server.wait(lambda attached=attached: not any(map(alive, attached)), "the end of their processes")


@pytest.mark.skipif(sys.platform != "linux", reason="opens the pipes of another process")
def test_clients_that_a_killed_process_left_are_ended_by_the_next_and_the_server_can_end(
    tmux_server: Any, log: Any, watch: Begin, in_floods: Callable[[], WatchingProcess]
) -> None:
    process = in_floods()
    left = process.attached
    # As when a link dies: nothing on the host hears of the end, its output goes into a full pipe that nobody reads.
    held = [end for pid in left for end in _other_ends(_started(pid, process.pid))]
    process.signal(signal.SIGKILL)
    process.close()
    assert clients(tmux_server) == left
    try:
        watch(left=left)
        for number in range(3):
            log.wait_ready(f"%{number}")
        tmux_server.wait(lambda: not clients(tmux_server) & left, "the end of what was left")
        assert len(clients(tmux_server)) == 4
        assert not any(map(alive, left))
        server = tmux_server.pid
        tmux_server.run("kill-server")
        tmux_server.wait(lambda: not alive(server), "the end of the server")
    finally:
        for descriptor in held:
            os.close(descriptor)


def _started(client: int, process: int) -> int:
    """What `process` started: the tmux client, or the shell around it."""
    done = subprocess.run(["ps", "-o", "ppid=", "-p", str(client)], capture_output=True, text=True, check=True)
    return client if int(done.stdout) == process else int(done.stdout)


def _other_ends(pid: int) -> list[int]:
    """Open the other ends of the pipes that a process has as stdin and stdout."""
    return [os.open(f"/proc/{pid}/fd/0", os.O_WRONLY), os.open(f"/proc/{pid}/fd/1", os.O_RDONLY)]


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waits to be reaped."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


# --------------------------------------------------------------------------------- floods

#: Says a number and when it did (epoch seconds), twenty times a second.
CALM = """\
import sys, time
for number in range(1, int(sys.argv[2]) + 1):
    print(sys.argv[1], number, f"{time.time():.4f}", flush=True)
    time.sleep(0.05)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in another session", "in the same session"])
def test_a_flood_takes_no_line_of_a_calm_pane_and_ends_well(
    tmux_server: Any, log: Any, watch: Begin, count: Any, where: str
) -> None:
    """How late its lines are is judged only roughly here, for the machine may be busy; `make bench` measures it."""
    script = tmux_server.directory / "calm.py"
    script.write_text(CALM)
    calm = tmux_server.new_session("calm")
    if where == "in the same session":
        flood = tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "calm", SHELL)
    else:
        flood = tmux_server.new_session("flood")
    for pane in (calm, flood):
        tmux_server.wait_prompt(pane)
    watch()
    for pane in (calm, flood):
        log.wait_ready(pane)

    def calm_lines(word: str, number: int) -> list[float]:
        """Let the calm pane print; how late each line was, in seconds."""
        tmux_server.send(calm, f"{sys.executable} {script} {word} {number}", "Enter")
        log.wait(lambda: len(_late(log, calm, word)) >= number, f"{number} lines of the calm pane", timeout=60)
        late = _late(log, calm, word)
        assert [said for said, _ in late] == list(range(1, number + 1))
        return sorted(seconds for _, seconds in late)

    before = calm_lines("before", 20)
    tmux_server.send(flood, "yes", "Enter")
    log.wait(lambda: len(log.lines(flood)) > 30_000, "the flood", timeout=30)
    during = calm_lines("during", 60)
    for name, late in (("before", before), ("during", during)):
        _log.info("%s, %s: median %.1f ms, p99 %.1f ms", where, name, statistics.median(late) * 1e3, late[-1] * 1e3)
    assert during[-1] < 5.0  # a machine may stand still now and then,
    assert statistics.median(during) < 10 * statistics.median(before) + 0.5  # but not at every other line

    tmux_server.send(flood, "", "C-c")
    tmux_server.wait_prompt(flood)
    counting = count("n")
    tmux_server.send(flood, counting.command, "Enter")
    tmux_server.wait(lambda: counting.shown(flood), "a line after the flood", timeout=30)
    counting.wait_more(flood)
    counting.end_once(flood)


def _late(log: Any, pane: str, word: str) -> list[tuple[int, float]]:
    """Number and delay in seconds of each line that `word` began."""
    records = [r for r in log.everything(pane) if isinstance(r, Lines)]
    words = [(line.split(), r.at) for r in records for line in r.lines if line.startswith(f"{word} ")]
    return [(int(said[1]), at - float(said[2])) for said, at in words]
