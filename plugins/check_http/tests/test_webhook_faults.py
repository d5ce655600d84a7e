"""Replays, crashes, floods and dawdlers, with real sockets, files and processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckStatus
from tmux_sentry_check_http import listener as listening
from tmux_sentry_check_http.store import Store
from tmux_sentry_check_http.webhook_check import WebhookChecker

WHEN = {"success_when": "state == 'done'", "fail_when": "state == 'broken'"}
BODY = json.dumps({"state": "done"}).encode()


def stored(home: Path) -> int:
    """How many deliveries a new process would find."""
    store = Store(str(home))
    try:
        return len(store.after(0, "/", 0.0))
    finally:
        store.close()


def ended(connection: socket.socket) -> bool:
    """Whether the other end closes a connection without a word. Raises TimeoutError when it stays open."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


# ------------------------------------------------------------------------------- replays


def test_a_delivery_that_comes_again_changes_nothing(hook: Any, sign: Any, tmp_path: Path, caplog: Any) -> None:
    headers = sign.standard(BODY)
    assert hook.post(BODY, headers)[:2] == (200, "received\n")
    again = sign.standard(BODY, at=time.time() - 5)  # a sender that tries again signs the new time
    assert hook.post(BODY, headers)[:2] == (200, "already received\n")
    assert hook.post(BODY, again)[:2] == (200, "already received\n")
    assert hook.post(BODY, headers, path="/elsewhere")[:2] == (200, "already received\n")
    assert stored(tmp_path / "home") == 1
    assert len(hook.woken) == 1
    assert "msg_1 at /elsewhere came again" in caplog.text


def test_a_replay_is_known_after_a_restart(hooks: Any, sign: Any, tmp_path: Path) -> None:
    first = hooks()
    standard, github = sign.standard(BODY, "msg_7"), sign.github(BODY)
    assert first.post(BODY, standard)[1] == "received\n"
    assert first.post(BODY, github)[1] == "received\n"
    first.checker.close()
    second = hooks()
    assert second.post(BODY, standard)[1] == "already received\n"
    assert second.post(BODY, github)[1] == "already received\n"
    assert stored(tmp_path / "home") == 2
    assert second.woken == []
    assert second.ask(**WHEN).status is CheckStatus.SUCCESS


def test_githubs_bytes_with_another_id_and_event_are_the_same_delivery(hook: Any, sign: Any, tmp_path: Path) -> None:
    """Neither is signed: whoever has caught one delivery could send it for ever."""
    assert hook.post(BODY, sign.github(BODY, "d-1", "deployment_status"))[1] == "received\n"
    assert hook.post(BODY, sign.github(BODY, "d-2", "workflow_run"))[1] == "already received\n"
    assert hook.post(BODY + b" ", sign.github(BODY + b" ", "d-1"))[1] == "already received\n"
    assert stored(tmp_path / "home") == 1


def test_many_at_once_with_one_id_are_one(hook: Any, sign: Any, tmp_path: Path) -> None:
    said: list[str] = []
    headers = sign.standard(BODY)
    threads = [threading.Thread(target=lambda: said.append(hook.post(BODY, headers)[1])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["already received\n"] * 15 + ["received\n"]
    assert stored(tmp_path / "home") == 1


# ------------------------------------------------------------------------------- crashes

LISTEN = """
import sys, threading
from tmux_sentry_check_http.webhook_check import WebhookChecker

settings = {"WEBHOOK_LISTEN": "127.0.0.1:0", "WEBHOOK_LISTEN_SECRET": sys.argv[2]}
checker = WebhookChecker(settings, sys.argv[1])
checker.open(lambda: None)
print(checker._listener.port, flush=True)
threading.Event().wait()
"""


def killed_after(deliveries: int, home: Path, sign: Any) -> None:
    """A process that takes so many deliveries and is killed the moment it has answered the last."""
    command = [sys.executable, "-c", LISTEN, str(home), sign.STANDARD_SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            for number in range(deliveries):
                headers = sign.standard(BODY, f"msg_{number}")
                head = "POST / HTTP/1.1\r\nContent-Type: application/json\r\n"
                head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                    connection.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
                    assert connection.recv(12) == b"HTTP/1.1 200"
                    if number == deliveries - 1:
                        process.send_signal(signal.SIGKILL)
        finally:
            process.kill()


def test_what_was_answered_with_200_is_there_after_a_kill(hooks: Any, sign: Any, tmp_path: Path) -> None:
    for round_ in range(3):
        home = tmp_path / f"home{round_}"
        killed_after(round_ + 1, home, sign)
        after = hooks(home=home)
        assert stored(home) == round_ + 1
        assert after.ask(**WHEN, since=time.time() - 60).status is CheckStatus.SUCCESS
        assert after.post(BODY, sign.standard(BODY, f"msg_{round_}"))[1] == "already received\n"


# -------------------------------------------------------------------------------- floods


def test_two_thousand_bad_ones_keep_no_good_one_out(hook: Any, sign: Any, caplog: Any) -> None:
    wrong = sign.standard(BODY, "bad", key=b"x" * 32)
    statuses: list[int] = []

    def flood(count: int) -> None:
        statuses.extend(hook.post(BODY, wrong)[0] for _ in range(count))

    threads = [threading.Thread(target=flood, args=(250,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    good = 0
    while any(thread.is_alive() for thread in threads):
        good += 1
        assert hook.post(b'{"n": 1}', sign.standard(b'{"n": 1}', f"good_{good}"))[:2] == (200, "received\n")
    assert hook.deliver({"state": "done"})[0] == 200
    assert hook.ask(**WHEN).status is CheckStatus.SUCCESS
    assert good >= 5
    assert len(statuses) == 2000
    assert set(statuses) == {401, 429}
    assert statuses.count(429) > 1800
    assert caplog.text.count("deliveries refused") <= 3


DAWDLING = [
    b"",
    b"POST / HTTP/1.1\r\nContent-Le",
    b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\nX-Hub-Signature-256: x\r\n"
    b"X-GitHub-Delivery: d\r\n\r\n{",
]


def test_those_that_dawdle_hold_up_nobody(hook: Any) -> None:
    slow = [socket.create_connection(("127.0.0.1", hook.port), timeout=20) for _ in range(30)]
    for number, connection in enumerate(slow):
        connection.sendall(DAWDLING[number % len(DAWDLING)])
    assert hook.deliver({"state": "done"})[0] == 200
    for connection in slow:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):  # it still has its time
            connection.recv(1)
        connection.close()


@pytest.mark.parametrize("sent", DAWDLING)
def test_who_dawdles_is_sent_away_in_the_end(hooks: Any, monkeypatch: Any, sent: bytes) -> None:
    monkeypatch.setattr(listening.Listener.__init__, "__defaults__", (0.3,))
    hook = hooks()
    with socket.create_connection(("127.0.0.1", hook.port), timeout=5) as connection:
        connection.sendall(sent)
        assert ended(connection)


def test_more_dawdlers_than_there_is_room_make_room(hook: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(listening, "LEAST", 0.2)
    slow = [socket.create_connection(("127.0.0.1", hook.port), timeout=20) for _ in range(listening.MOST + 20)]
    began = time.monotonic()
    assert hook.deliver({"state": "done"})[0] == 200
    assert time.monotonic() - began < 5.0  # the time of a whole exchange is 10
    # The listener has never held more than it may.
    assert len(hook.checker._listener._open) <= listening.MOST
    for connection in slow:
        connection.close()


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(hook: Any, sign: Any) -> None:
    with socket.create_connection(("127.0.0.1", hook.port), timeout=5) as connection:
        head = "POST / HTTP/1.1\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in sign.standard(BODY).items())
        connection.sendall(f"{head}Content-Length: {1024 * 1024 + 1}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_who_sends_it_nevertheless_still_sees_why(hook: Any, sign: Any) -> None:
    body = b'"' + b"x" * (1024 * 1024) + b'"'
    assert hook.post(body, sign.standard(body))[0] == 413
    right = b'"' + b"x" * (1024 * 1024 - 2) + b'"'
    assert hook.post(right, sign.standard(right))[0] == 200


def test_an_unsigned_body_is_not_read(hook: Any) -> None:
    with socket.create_connection(("127.0.0.1", hook.port), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("sent", [b"", b"POST", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"])
def test_who_goes_away_in_between_harms_nothing(hook: Any, sent: bytes) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", hook.port), timeout=5) as connection:
            connection.sendall(sent)
    assert hook.deliver({"state": "done"})[0] == 200
    assert hook.checker._listener.alive


def test_closing_breaks_what_is_open(hook: Any) -> None:
    with socket.create_connection(("127.0.0.1", hook.port), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n")
        hook.checker.close()
        assert ended(connection)


def test_checks_that_begin_at_once_share_one_listener(tmp_path: Path, sign: Any) -> None:
    settings = {"WEBHOOK_LISTEN": "127.0.0.1:0", "WEBHOOK_LISTEN_SECRET": sign.GITHUB_SECRET}
    checker = WebhookChecker(settings, str(tmp_path))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(checker._ready()[1])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checker.close()
    assert len(found) == 12
    assert len(set(found)) == 1
