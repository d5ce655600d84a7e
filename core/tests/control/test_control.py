"""Commands reach the running instance; strangers, floods and nonsense do not disturb it."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.control import server as server_module
from tmux_sentry.control.client import NotRunning, ask
from tmux_sentry.control.person import person_of, signed
from tmux_sentry.control.protocol import MAX_REQUEST
from tmux_sentry.control.server import ControlServer
from tmux_sentry.errors import Diagnostic, InvalidConfig, Locked, Refused, SentryError, Unreachable, UsageError


def handler(verb: str, args: Mapping[str, Any], by: str) -> Any:
    if verb == "who":
        return by
    if verb == "echo":
        return {"got": dict(args)}
    if verb == "pid":
        return os.getpid()
    if verb == "crash":
        raise ZeroDivisionError("half way\x1b[2J")
    if verb == "deep":
        nested: list[Any] = []
        for _ in range(100_000):
            nested = [nested]
        return nested
    if verb == "unsendable":
        return {"x": object()}
    kinds: dict[str, Callable[[], Exception]] = {
        "refuse": lambda: Locked("what", "why", "fix"),
        "usage": lambda: UsageError("what", "why", "fix"),
        "gone": lambda: Unreachable("what", "why", "fix"),
        "fail": lambda: SentryError("what", "why", "fix"),
        "config": lambda: InvalidConfig([Diagnostic(file="p.yaml", line=3, column=1, where="a", what="bad")]),
    }
    raise kinds[verb]()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    with ControlServer(path, handler, patience=0.5) as running:
        yield running


def raw(path: Path, data: bytes, *, finish: bool = False) -> bytes:
    """What comes back for these bytes, until the server closes or nothing comes for five seconds."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may refuse before it has everything
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def test_a_command_gets_its_result(server: ControlServer, path: Path) -> None:
    assert ask(path, "echo", {"a": [1, "ü\x1b\ud800"], "b": None}) == {"got": {"a": [1, "ü\x1b\ud800"], "b": None}}


@pytest.mark.parametrize(
    ("verb", "kind", "exit_code"),
    [("refuse", Refused, 3), ("usage", UsageError, 2), ("gone", Unreachable, 4), ("fail", SentryError, 1)],
)
def test_an_error_travels_with_its_three_lines_and_exit_code(
    server: ControlServer, path: Path, verb: str, kind: type[SentryError], exit_code: int
) -> None:
    with pytest.raises(kind) as caught:
        ask(path, verb, {})
    assert caught.value.lines() == ["what", "why", "fix"]
    assert caught.value.exit_code == exit_code


def test_every_finding_of_a_bad_policy_travels(server: ControlServer, path: Path) -> None:
    with pytest.raises(UsageError, match=r"p\.yaml:3:1: a: bad"):
        ask(path, "config", {})


@pytest.mark.parametrize(
    ("verb", "said"),
    [("crash", "ZeroDivisionError: half way"), ("unsendable", "not JSON serializable"), ("deep", "recursion")],
)
def test_a_bug_in_a_command_is_an_error_and_the_next_command_works(
    server: ControlServer, path: Path, verb: str, said: str
) -> None:
    with pytest.raises(SentryError) as caught:
        ask(path, verb, {})
    assert said in caught.value.why
    assert caught.value.why.isprintable()
    assert ask(path, "echo", {}) == {"got": {}}


def test_with_nothing_running_the_client_says_so(path: Path) -> None:
    with pytest.raises(NotRunning):
        ask(path, "echo", {})
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NotRunning):
        ask(path, "echo", {})


def test_the_socket_is_private_and_goes_with_the_server(path: Path) -> None:
    with ControlServer(path, handler) as server:
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()
    server.close()
    with pytest.raises(NotRunning):
        ask(path, "echo", {})


def test_another_uid_is_turned_away(path: Path) -> None:
    with ControlServer(path, handler, uid=os.geteuid() + 1), pytest.raises(Refused, match="another user"):
        ask(path, "echo", {})


def test_who_asks_is_the_user_at_the_other_end(
    server: ControlServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "bob")
    assert ask(path, "who", {"by": "bob"}) == pwd.getpwuid(os.geteuid()).pw_name


def test_a_user_without_a_name_is_a_number() -> None:
    assert person_of(4_000_000_000) == "uid 4000000000"


@pytest.mark.parametrize(
    ("verb", "args", "handed_over"),
    [
        ("decide", {"id": "q", "by": "bob"}, {"id": "q", "by": "ann"}),
        ("decide", {"id": "q"}, {"id": "q", "by": "ann"}),
        ("order", {"run": "r", "by": "bob"}, {"run": "r", "by": "ann"}),
        ("resume_all", {"by": "bob"}, {"by": "ann"}),
        ("notify_silence", {"by": "bob"}, {"by": "ann"}),
        ("approval_login", {"by": "bob"}, {"by": "ann"}),
        ("notify_retry", {"by": "bob"}, {}),
    ],
)
def test_an_order_is_signed_with_who_asks_and_not_with_what_it_says(
    verb: str, args: Mapping[str, Any], handed_over: Mapping[str, Any]
) -> None:
    assert signed(verb, args, "ann") == handed_over


def test_a_home_that_others_can_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o770)
    with pytest.raises(Refused, match="written by other users"):
        ControlServer(path, handler).start()


def test_a_path_that_is_too_long_is_said_by_both_ends(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "control.sock"
    for attempt in (ControlServer(path, handler).start, lambda: ask(path, "echo", {})):
        with pytest.raises(UsageError, match="too long"):
            attempt()


SERVE = """
import sys, time
from pathlib import Path
from tmux_sentry.control.server import ControlServer
ControlServer(Path(sys.argv[1]), lambda verb, args, by: "other").start()
print("up", flush=True)
time.sleep(60)
"""


def test_a_killed_instances_socket_is_replaced_and_a_living_ones_is_not(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Locked):
            ControlServer(path, handler).start()
        assert ask(path, "echo", {}) == "other"
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert path.exists()
    with ControlServer(path, handler):
        assert ask(path, "pid", {}) == os.getpid()


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(Refused, match="not a socket"):
        ControlServer(path, handler).start()
    assert path.read_text() == "mine"


def test_closing_an_old_server_leaves_its_successors_socket(path: Path) -> None:
    first = ControlServer(path, handler)
    first.start()
    path.unlink()
    with ControlServer(path, handler):
        first.close()
        assert ask(path, "echo", {}) == {"got": {}}


@pytest.mark.parametrize(
    "line",
    [
        b"approve\n",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"verb": 7, "args": {}}\n',
        b'{"verb": "echo", "args": []}\n',
        b'{"verb": "ECHO; rm", "args": {}}\n',
        b'{"verb": "echo", "args": {"x": NaN}}\n',
        b'{"verb": "echo", "args": {"x": ' + b"[" * 30_000 + b"\n",
        b'{"verb": "echo", "args": {"x": ' + b"9" * 30_000 + b"}}\n" if sys.version_info >= (3, 11) else b"9\n",
        b"\xff\xfe\n",
        b"x" * (MAX_REQUEST + 1) + b"\n",
        b"x" * (MAX_REQUEST * 4),
        b'{"verb": "echo"}\n{"verb": "echo"}\n',
    ],
)
def test_nonsense_gets_an_error_and_disturbs_nobody(server: ControlServer, path: Path, line: bytes) -> None:
    answer = raw(path, line)
    # A reset may eat the answer to an endless line; what matters is that no other answer comes.
    assert not answer or json.loads(answer)["ok"] is False
    assert ask(path, "echo", {}) == {"got": {}}


def test_a_slow_client_is_dropped_and_holds_up_nobody(server: ControlServer, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(5)
        slow.connect(str(path))
        deadline = time.monotonic() + 5
        dropped = False
        while not dropped and time.monotonic() < deadline:
            assert ask(path, "echo", {}) == {"got": {}}
            try:
                slow.sendall(b"x")  # a byte now and then keeps no connection
            except OSError:
                dropped = True
        assert dropped


def test_a_client_that_leaves_early_is_no_trouble(server: ControlServer, path: Path) -> None:
    assert raw(path, b'{"verb": "ec', finish=True) == b""
    assert ask(path, "echo", {}) == {"got": {}}


def test_several_commands_fit_one_connection(server: ControlServer, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        for number in range(3):
            connection.sendall(json.dumps({"verb": "echo", "args": {"n": number}}).encode() + b"\n")
            assert json.loads(connection.recv(65536)) == {"ok": True, "result": {"got": {"n": number}}}


def test_a_command_that_takes_long_holds_up_no_other(path: Path) -> None:
    gate = threading.Event()

    def waits(verb: str, args: Mapping[str, Any], by: str) -> Any:
        return gate.wait(10) if verb == "wait" else "quick"

    with ControlServer(path, waits):
        results: list[Any] = []
        long = threading.Thread(target=lambda: results.append(ask(path, "wait", {})))
        long.start()
        assert ask(path, "now", {}) == "quick"
        with pytest.raises(SentryError, match="no answer") as caught:
            ask(path, "wait", {}, timeout=0.1)
        assert "may have been done" in caught.value.fix
        gate.set()
        long.join(5)
        assert results == [True]


def test_a_flood_of_connections_is_turned_away_and_ends(path: Path) -> None:
    with ControlServer(path, handler, patience=1.0):
        flood = [socket.socket(socket.AF_UNIX) for _ in range(server_module.MAX_CLIENTS)]
        for connection in flood:
            connection.connect(str(path))
        deadline = time.monotonic() + 10
        turned_away = served = False
        while not (turned_away and served) and time.monotonic() < deadline:
            try:
                served = ask(path, "echo", {}) == {"got": {}}
            except SentryError:
                turned_away = True
        assert turned_away
        assert served
        for connection in flood:
            connection.close()


def test_a_text_that_is_too_long_is_refused_before_it_is_sent(server: ControlServer, path: Path) -> None:
    with pytest.raises(UsageError, match="too much text"):
        ask(path, "echo", {"text": "x" * MAX_REQUEST})
