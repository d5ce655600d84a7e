"""The check `webhook`: what counts as the answer, and what the listener says to a sender."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckResult, CheckStatus
from tmux_sentry.testing.samples import check_request
from tmux_sentry_check_http import store as stores
from tmux_sentry_check_http.store import Delivery, Full, Store
from tmux_sentry_check_http.webhook_check import WebhookChecker

P, S, F, U = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE, CheckStatus.UNKNOWN
WHEN = {"success_when": "state == 'done'", "fail_when": "state == 'broken'"}


def test_a_delivery_answers_a_check_that_waits(hook: Any) -> None:
    waiting = hook.ask(**WHEN)
    assert (waiting.status, waiting.detail) == (P, f"no delivery at / yet; listening on 127.0.0.1:{hook.port}")
    assert hook.deliver({"state": "done"}) == (200, "received\n")
    found = hook.ask(**WHEN)
    assert (found.status, found.detail) == (S, "delivery msg_1: success_when is true")


def test_whoever_waits_is_woken_after_the_delivery_is_there(hooks: Any) -> None:
    hook = hooks()
    seen: list[CheckStatus] = []
    hook.checker.open(lambda: seen.append(hook.ask(**WHEN).status))
    hook.deliver({"state": "done"})
    assert seen == [S]


def test_a_wake_that_raises_does_not_keep_the_sender_waiting(hooks: Any) -> None:
    hook = hooks()
    hook.checker.open(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert hook.deliver({"state": "done"})[0] == 200
    assert hook.ask(**WHEN).status is S


@pytest.mark.parametrize(
    ("bodies", "status"),
    [
        ([{"state": "done"}], S),
        ([{"state": "broken"}], F),
        ([{"state": "x"}], P),
        ([{}], U),
        ([[]], U),
        ([{"state": "x"}, {"state": "done"}], S),
        ([{}, {"state": "x"}], P),
        ([{"state": "x"}, {}], U),
        ([{"state": "done"}, {"state": "x"}, {}], S),  # what is decided stays so
        ([{"state": "broken"}, {"state": "done"}], S),  # run again
    ],
)
def test_what_deliveries_say_one_after_the_other(hook: Any, bodies: list[Any], status: CheckStatus) -> None:
    for number, body in enumerate(bodies):
        assert hook.deliver(body, f"msg_{number}")[0] == 200
    assert hook.ask(**WHEN).status is status
    assert hook.ask(**WHEN).status is status  # and again, from where it has read to


def test_each_step_is_seen_by_a_check_that_asks_between(hook: Any) -> None:
    found = [hook.ask(**WHEN, since=0.0).status]
    for number, body in enumerate([{"state": "x"}, {}, {"state": "broken"}, {"state": "x"}, {"state": "done"}]):
        hook.deliver(body, f"msg_{number}")
        found.append(hook.ask(**WHEN, since=0.0).status)
    assert found == [P, P, U, F, F, S]


def test_each_check_reads_for_itself(hook: Any) -> None:
    hook.deliver({"state": "done"})
    for name in ("one", "other"):
        request = check_request(WHEN, id=name, started_at=time.time() - 1, now=time.time())
        assert hook.checker.check(request).status is S
    other = check_request({"success_when": "state == 'x'"}, id="one", started_at=time.time() - 1, now=time.time())
    assert hook.checker.check(other).status is P


def test_only_what_came_since_the_stage_began_counts_and_what_came_before_is_named(hook: Any) -> None:
    hook.deliver({"state": "done"})
    for later in (0.0, 1.0, 30.0):
        early = hook.ask(**WHEN, since=time.time() + later)
        assert early.status is P
        assert re.match(r"no delivery at / since the stage began \(msg_1 came \d+\.\d s before it\)", early.detail)
    assert "msg_1" not in hook.ask(**WHEN, since=time.time() + 3600).detail
    assert hook.ask(**WHEN, since=time.time() - 30).status is S


class Checks:
    """The `webhook` checks of one Run, in order: each as the core asks it, with what all of them remember."""

    def __init__(self, hook: Any, since: float) -> None:
        self.hook, self.since = hook, since
        self.memories: list[Mapping[str, Any]] = []

    def ask(self, number: int, path: str = "/", hook: Any = None) -> CheckResult:
        """Ask check `number`, which began at `since` like all of them: only what they remember tells them apart."""
        self.memories += [{}] * (number + 1 - len(self.memories))
        request = check_request(
            {**WHEN, "path": path},
            id=f"check{number}",
            started_at=self.since,
            memory=self.memories[number],
            remember=lambda memory: self.memories.__setitem__(number, json.loads(json.dumps(memory))),
            earlier=tuple(self.memories[:number]),
        )
        return (hook or self.hook).checker.check(request)


@pytest.mark.parametrize("state", ["done", "broken"])
def test_one_delivery_answers_one_check_of_a_run(hook: Any, state: str) -> None:
    checks = Checks(hook, time.time() - 60)
    hook.deliver({"state": state})
    assert checks.ask(0).status.final
    assert [checks.ask(number).status for number in (1, 2)] == [P, P]
    hook.deliver({"state": state}, "msg_2")
    assert checks.ask(1).status.final
    assert [checks.ask(number).status for number in (2, 3)] == [P, P]
    assert checks.ask(0).status.final


def test_what_decides_nothing_or_another_path_is_taken_from_nobody(hook: Any) -> None:
    checks = Checks(hook, time.time() - 60)
    hook.deliver({"state": "done"}, path="/other")
    hook.deliver({"state": "x"}, "msg_2")
    assert checks.ask(0).status is P
    assert checks.memories == [{}]
    hook.deliver({"state": "done"}, "msg_3")
    assert checks.ask(1).status is S
    assert checks.ask(2, path="/other").status is S
    assert checks.ask(3, path="/other").status is P


def test_after_a_restart_each_check_gives_its_own_answer(hooks: Any) -> None:
    """Also when the deliveries are gone, and more have come."""
    first = hooks()
    checks = Checks(first, time.time() - 60)
    answers = []
    for number, state in enumerate(("done", "broken")):
        first.deliver({"state": state}, f"msg_{number}")
        answers.append(checks.ask(number))
    assert [answer.status for answer in answers] == [S, F]
    second = hooks()
    assert [checks.ask(number, hook=second) for number in (0, 1)] == answers
    first.checker._store._db.execute("DELETE FROM deliveries")
    after = hooks()
    assert [checks.ask(number, hook=after) for number in (0, 1)] == answers
    assert checks.ask(2, hook=after).status is P


def test_numbers_go_on_in_a_file_that_is_made_again(hooks: Any, tmp_path: Path) -> None:
    first = hooks(home=tmp_path / "one")
    checks = Checks(first, time.time() - 60)
    first.deliver({"state": "done"})
    checks.ask(0)
    second = hooks(home=tmp_path / "two")
    second.deliver({"state": "done"})
    assert checks.ask(1, hook=second).status is S


@pytest.mark.parametrize(
    "memory",
    [{"path": "/", "seq": True, "status": "success"}, {"path": "/", "seq": "9", "status": "success"}, {"seq": 9},
     {"path": "/", "seq": 9, "status": "pending"}, {"path": "/", "seq": 9, "status": ["success"]}],
)  # fmt: skip
def test_a_memory_that_is_none_counts_for_nothing(hook: Any, memory: Mapping[str, Any]) -> None:
    request = check_request(WHEN, started_at=time.time() - 1, memory=memory, earlier=(memory,))
    assert hook.checker.check(request).status is P


def test_only_its_own_path_counts_and_another_is_mentioned(hook: Any) -> None:
    assert hook.deliver({"state": "done"}, path="/deploy") == (200, "received\n")
    result = hook.ask(**WHEN, path="/deploys")
    assert result.status is P
    assert "one came at /deploy:" in result.detail
    assert hook.ask(**WHEN, path="/deploy").status is S
    assert hook.deliver({"state": "done"}, "msg_2", path="/deploys?x=1")[0] == 200
    assert hook.ask(**WHEN, path="/deploys").status is S


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"event": "deployment_status"}, S),
        ({"event": "Deployment_Status"}, P),
        ({"event": "push"}, P),
        ({"event": "deployment_status", "success_when": "ok"}, S),
        ({"event": "push", "success_when": "ok"}, P),
        ({"event": "deployment_status", "fail_when": "ok"}, F),
        ({"event": "deployment_status", "fail_when": "gone"}, U),
    ],
)
def test_events(hook: Any, sign: Any, config: Mapping[str, Any], status: CheckStatus) -> None:
    body = b'{"ok": true, "action": "created"}'
    hook.post(body, sign.github(body, event="deployment_status"))
    assert hook.ask(**config).status is status


def test_an_event_of_standard_webhooks_is_its_type_and_no_header(hook: Any, sign: Any) -> None:
    body = b'{"type": "deploy.done"}'
    hook.post(body, {**sign.standard(body), "X-GitHub-Event": "push"})
    assert hook.ask(event="deploy.done").status is S
    assert hook.ask(event="push").status is P


@pytest.mark.parametrize("data", [{"type": ["x"]}, {"type": {}}, {"type": None}, [], 7, "x"])
def test_a_type_that_is_none_is_no_event(hook: Any, data: Any) -> None:
    hook.deliver(data)
    assert hook.ask(event="x").status is P


def test_the_greeting_of_a_new_webhook_is_no_answer(hook: Any, sign: Any) -> None:
    body = b'{"zen": "Design for failure.", "hook_id": 1}'
    assert hook.post(body, sign.github(body, event="ping"))[0] == 200
    assert hook.ask(success_when="hook_id == `1`").status is P
    assert hook.ask(event="ping").status is S


def test_without_a_condition_and_an_event_nothing_is_success(hook: Any) -> None:
    hook.deliver({"state": "done"})
    for config in ({}, {"path": "/"}, {"fail_when": "state == 'x'"}):
        assert hook.ask(**config).status is U


# --------------------------------------------------------------------------- the listener


def test_what_is_no_delivery_is_refused(hook: Any, sign: Any) -> None:
    body = b'{"state": "done"}'
    signed = sign.standard(body)
    form = {**signed, "Content-Type": "application/x-www-form-urlencoded"}
    assert hook.post(body, signed, method="GET")[0] == 405
    assert hook.post(body, signed, method="PUT")[2]["allow"] == "POST"
    assert hook.post(b"payload=%7B%7D", form)[0] == 415
    assert "application/json" in hook.post(b"payload=%7B%7D", form)[1]
    for path in ("/%2e%2e", "/a" * 200, "*", "http://x/y"):
        assert hook.post(body, signed, path=path)[0] in (400, 404), path
    for text in (b"", b"{", b"\xff", b"NaN", b"[" * 100_000):
        assert hook.post(text, sign.standard(text, "m"))[0] == 400, text
    assert hook.ask(**WHEN).status is P
    assert hook.post(body, {**signed, "Content-Type": "application/cloudevents+json; charset=utf-8"})[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: b\x00\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Type: application/json\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        ("POST /ä HTTP/1.1\r\n\r\n".encode(), 404),
        (b"POST /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_refused(hook: Any, request_: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", hook.port), timeout=20) as connection:
        connection.sendall(request_)
        said = b""
        while chunk := connection.recv(4096):
            said += chunk
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nServer:" not in said
    assert b"ython" not in said
    assert len(said) < 400


def test_a_sender_that_asks_before_it_sends_the_body(hook: Any, sign: Any) -> None:
    body = b'{"state": "done"}'
    head = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in sign.standard(body).items())
    with socket.create_connection(("127.0.0.1", hook.port), timeout=20) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_port_that_is_taken_is_said_and_tried_again(hooks: Any, tmp_path: Path) -> None:
    first = hooks()
    second = hooks(home=tmp_path / "other", WEBHOOK_LISTEN=f"127.0.0.1:{first.port}")
    result = second.ask(**WHEN)
    assert (result.status, "is another run there?" in result.detail) == (U, True)
    first.checker.close()
    assert second.ask(**WHEN).status is P
    assert second.deliver({"state": "done"})[0] == 200
    assert second.ask(**WHEN).status is S


def test_asked_by_hand_it_listens_until_it_is_closed(tmp_path: Path, sign: Any) -> None:
    settings = {"WEBHOOK_LISTEN": "127.0.0.1:0", "WEBHOOK_LISTEN_SECRET": sign.GITHUB_SECRET}
    checker = WebhookChecker(settings, str(tmp_path))
    assert checker.check(check_request(WHEN)).status is P
    listener = checker._listener
    assert listener is not None
    checker.close()
    checker.close()
    assert not listener.alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.port), timeout=5)
    assert checker.check(check_request(WHEN)).status is U


@pytest.mark.parametrize(("secret", "warned"), [("", False), ("short", True)])
def test_nothing_listens_and_no_file_is_made_where_it_is_not_set_up(
    tmp_path: Path, caplog: Any, secret: str, warned: bool
) -> None:
    checker = WebhookChecker({"WEBHOOK_LISTEN_SECRET": secret}, str(tmp_path))
    checker.open(lambda: None)
    assert ("WEBHOOK_LISTEN_SECRET" in caplog.text) is warned
    assert checker.check(check_request(WHEN)).status is U
    checker.close()
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ the file


def test_the_file_is_for_us_alone(hook: Any, tmp_path: Path) -> None:
    hook.deliver({"state": "done"})
    files = sorted((tmp_path / "home").iterdir())
    assert files[0].name == "webhooks.db"
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_file_that_others_can_write_or_that_is_none_is_refused(hooks: Any, tmp_path: Path) -> None:
    for number, break_ in enumerate(
        [
            lambda path: path.chmod(0o620),
            lambda path: (path.unlink(), path.symlink_to("/dev/null")),
            lambda path: (path.unlink(), path.mkdir()),
            lambda path: path.write_bytes(b"this is no database, whatever it is called" * 100),
        ]
    ):
        home = tmp_path / str(number)
        home.mkdir(mode=0o700)
        path = home / "webhooks.db"
        path.touch(0o600)
        break_(path)
        result = hooks(home=home).ask(**WHEN)
        assert result.status is U
        assert "webhooks.db" in result.detail


def delivery(at: float, body: bytes = b"{}") -> Delivery:
    return Delivery(received=at, path="/", name="n", event="", body=body)


def test_bodies_go_after_a_day_and_ids_after_a_month(tmp_path: Path) -> None:
    store, day = Store(str(tmp_path)), 86400.0
    assert store.add(delivery(0.0), ["a"])
    assert store.add(delivery(day - 1), ["b"])
    assert len(store.after(0, "/", -1.0)) == 2
    assert not store.add(delivery(day + 1), ["a"])
    assert len(store.after(0, "/", -1.0)) == 1
    assert not store.add(delivery(29.9 * day), ["a"])
    assert store.add(delivery(30.1 * day), ["a"])
    store.close()


def test_any_of_its_ids_makes_it_known_and_then_none_is_added(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.add(delivery(1.0), ["a", "b"])
    assert not store.add(delivery(2.0), ["c", "b"])
    assert store.add(delivery(3.0), ["c"])
    store.close()


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_DELIVERIES", 2), ("MOST_BYTES", 9), ("MOST_IDS", 2)], ids=lambda one: str(one)
)
def test_a_full_file_drops_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(stores, limit, value)
    store = Store(str(tmp_path))
    assert store.add(delivery(1.0, b"1234"), ["a"])
    assert store.add(delivery(2.0, b"1234"), ["b"])
    with pytest.raises(Full):
        store.add(delivery(3.0, b"1234"), ["c"])
    assert len(store.after(0, "/", 0.0)) == 2
    assert not store.add(delivery(3.0, b"1234"), ["a"])  # what came before is still known
    store.close()


def test_what_cannot_be_kept_is_not_accepted(
    hooks: Any, sign: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the file: 503, so that the sender tries again, and no 2xx before it is on disk."""
    monkeypatch.setattr(Store.__init__, "__defaults__", (0.05,))
    hook = hooks()
    other = sqlite3.connect(tmp_path / "home" / "webhooks.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    body = json.dumps({"state": "done"}).encode()
    status, _, headers = hook.post(body, sign.standard(body))
    assert (status, headers["retry-after"]) == (503, "60")
    assert hook.woken == []
    other.execute("ROLLBACK")
    other.close()
    assert hook.deliver({"state": "done"}) == (200, "received\n")


def test_a_store_that_is_full_is_a_503(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_DELIVERIES", 1)
    assert hook.deliver({"state": "x"}, "msg_1")[0] == 200
    assert hook.deliver({"state": "done"}, "msg_2")[0] == 503
    assert hook.ask(**WHEN).status is P
