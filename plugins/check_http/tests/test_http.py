"""The check `http`, against a real server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import CheckResult, CheckStatus
from tmux_sentry.testing.provider import Provider, Reply, self_signed
from tmux_sentry.testing.samples import check_request
from tmux_sentry_check_http.http_check import HttpChecker

DONE = Reply.of_json({"state": "done"})
WHEN = {"success_when": "state == 'done'"}
TOKEN = "tok-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[Provider]:
    with Provider(DONE) as provider:
        yield provider


def ask(url: str, config: Mapping[str, Any] = WHEN, **more: Any) -> CheckResult:
    return HttpChecker().check(check_request({"url": url, **config}, **more))


def test_it_asks_as_it_is_told(server: Provider) -> None:
    config = {**WHEN, "headers": {"Authorization": f"Bearer {TOKEN}", "accept": "application/vnd.x+json"}}
    assert ask(f"{server.url}/a?b=c", config).status is CheckStatus.SUCCESS
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/a?b=c")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/vnd.x+json"
    assert request.headers["user-agent"] == "tmux-sentry"


def test_the_url_is_shown_without_its_query(server: Provider) -> None:
    assert ask(f"{server.url}/build/7?token={TOKEN}").url == f"{server.url}/build/7"


@pytest.mark.parametrize(
    ("config", "body", "status"),
    [
        (WHEN, {"state": "done"}, CheckStatus.SUCCESS),
        (WHEN, {"state": "x"}, CheckStatus.PENDING),
        (WHEN, {}, CheckStatus.UNKNOWN),
        # Failure is looked at first, and success is none while failure cannot be told.
        ({**WHEN, "fail_when": "errors > `0`"}, {"state": "done", "errors": 1}, CheckStatus.FAILURE),
        ({**WHEN, "fail_when": "errors > `0`"}, {"state": "done", "errors": 0}, CheckStatus.SUCCESS),
        ({**WHEN, "fail_when": "errors > `0`"}, {"state": "done"}, CheckStatus.UNKNOWN),
        ({**WHEN, "fail_when": "errors > `0`"}, {"state": "x"}, CheckStatus.UNKNOWN),
        ({**WHEN, "fail_when": "errors > `0`"}, {"errors": 1}, CheckStatus.FAILURE),
        ({**WHEN, "fail_when": "errors > `0`"}, {"errors": 0}, CheckStatus.UNKNOWN),
        ({"status": 200, "fail_when": "errors > `0`"}, {"errors": 1}, CheckStatus.FAILURE),
        ({"status": 200, "fail_when": "errors > `0`"}, {"errors": 0}, CheckStatus.SUCCESS),
        ({"status": 200, "fail_when": "errors > `0`"}, {}, CheckStatus.UNKNOWN),
    ],
)
def test_what_both_conditions_say(
    server: Provider, config: Mapping[str, Any], body: object, status: CheckStatus
) -> None:
    server.answer = Reply.of_json(body)
    assert ask(server.url, config).status is status


@pytest.mark.parametrize(
    ("status", "answered", "expected"),
    [
        (200, 200, CheckStatus.SUCCESS),
        (200, 201, CheckStatus.UNKNOWN),
        ([200, 204], 204, CheckStatus.SUCCESS),
        ([200, 204], 503, CheckStatus.UNKNOWN),
        (404, 404, CheckStatus.SUCCESS),
        (302, 302, CheckStatus.SUCCESS),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_status_alone_is_enough(
    server: Provider, status: object, answered: int, expected: CheckStatus, method: str
) -> None:
    server.answer = Reply(status=answered, body=b"" if answered == 204 else b"no JSON")
    assert ask(server.url, {"status": status, "method": method}).status is expected
    assert server.requests[0].method == method


def test_a_condition_is_judged_on_the_statuses_that_are_named(server: Provider) -> None:
    server.answer = Reply.of_json({"state": "done"}, status=503)
    assert ask(server.url, {**WHEN, "status": [200, 503]}).status is CheckStatus.SUCCESS
    assert ask(server.url).status is CheckStatus.UNKNOWN


@pytest.mark.parametrize("body", [b'{"state": NaN}', b'{"n": Infinity, "state": "x"}'])
def test_numbers_that_are_none_are_no_json(server: Provider, body: bytes) -> None:
    server.answer = Reply(body=body)
    result = ask(server.url, {"success_when": "state != 'done'"})
    assert result.status is CheckStatus.UNKNOWN
    assert "no JSON" in result.detail


def test_an_answer_is_read_as_far_as_the_policy_says(server: Provider) -> None:
    server.answer = Reply(body=b'{"state": "done"}' + b" " * 2000)
    short = ask(server.url, {**WHEN, "max_bytes": 1024})
    assert short.status is CheckStatus.SUCCESS  # what was cut off was only space
    server.answer = Reply(body=b'{"pad": "' + b"x" * 300_000 + b'", "state": "done"}')
    cut = ask(server.url)
    assert (cut.status, "raise max_bytes" in cut.detail) == (CheckStatus.UNKNOWN, True)
    assert ask(server.url, {**WHEN, "max_bytes": 400_000}).status is CheckStatus.SUCCESS


@pytest.mark.parametrize(
    ("percent", "shown"),
    [(0, 0.0), (42.5, 42.5), (100, 100.0), (101, None), (-1, None), ("42", None), (True, None), (None, None)],
)
def test_percent(server: Provider, percent: object, shown: float | None) -> None:
    server.answer = Reply.of_json({"state": "x", "p": {"done": percent}})
    assert ask(server.url, {**WHEN, "percent": "p.done"}).percent == shown


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("step 3", "step 3"),
        (7, "7"),
        (None, "success_when is false"),
        (["x"], "success_when is false"),
        ("\x1b[31mred\n", "red "),
        (f"sent: Bearer {TOKEN}!", "sent: ***!"),
        (f"key {TOKEN}", "key ***"),
    ],
)
def test_detail(server: Provider, note: object, shown: str) -> None:
    server.answer = Reply.of_json({"state": "x", "note": note})
    config = {**WHEN, "detail": "note", "headers": {"Authorization": f"Bearer {TOKEN}"}}
    assert ask(server.url, config).detail == shown


def test_a_detail_is_bounded(server: Provider) -> None:
    server.answer = Reply.of_json({"state": "x" * 10_000, "note": "y" * 10_000})
    assert len(ask(server.url, {**WHEN, "detail": "note"}).detail) <= 300
    assert len(ask(server.url, {"success_when": "state", "detail": "note"}).detail) <= 610


@pytest.mark.parametrize(
    "reply",
    [
        Reply.of_json({"state": f"Bearer {TOKEN}"}),
        Reply(status=400, body=f"bad token: {TOKEN}".encode()),
        Reply(body=f"<html>{TOKEN}</html>".encode()),
        Reply(status=404, body=b"no /x?key=query-key-77"),
    ],
)
def test_a_service_that_repeats_a_secret_does_not_bring_it_into_the_answer(server: Provider, reply: Reply) -> None:
    server.answer = reply
    config = {"success_when": "state", "headers": {"Authorization": f"Bearer {TOKEN}"}}
    result = ask(f"{server.url}/x?key=query-key-77", config)
    assert result.status is CheckStatus.UNKNOWN
    assert "***" in result.detail
    assert TOKEN not in result.detail
    assert "query-key-77" not in result.detail + result.url


def test_a_secret_that_is_also_a_word_of_the_answer_is_judged_as_it_came(server: Provider) -> None:
    server.answer = Reply.of_json({"env": "production"})
    config = {"success_when": "env == 'production'", "headers": {"X-Env": "production"}}
    assert ask(server.url, config).status is CheckStatus.SUCCESS


# ------------------------------------------------------------------------ in a row


class Memory:
    """What the core keeps for a check."""

    def __init__(self) -> None:
        self.kept: Mapping[str, Any] = {}
        self.writes = 0

    def remember(self, memory: Mapping[str, Any]) -> None:
        self.kept = json.loads(json.dumps(memory))
        self.writes += 1


def run(server: Provider, replies: list[Reply], **config: Any) -> tuple[list[CheckStatus], Memory]:
    """The answers to these replies, each asked by a new process."""
    memory, found = Memory(), []
    for reply in replies:
        server.answer = reply
        result = ask(server.url, {**WHEN, **config}, memory=memory.kept, remember=memory.remember)
        found.append(result.status)
    return found, memory


RUNNING, BROKEN, ERROR = Reply.of_json({"state": "x"}), Reply.of_json({"state": "broken"}), Reply(status=500)
P, S, F, U = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE, CheckStatus.UNKNOWN


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([DONE, DONE, DONE], [P, P, S]),
        ([DONE, DONE, RUNNING, DONE, DONE, DONE], [P, P, P, P, P, S]),
        ([DONE, DONE, ERROR, DONE, DONE, DONE], [P, P, U, P, P, S]),
        ([DONE, DONE, BROKEN, DONE, DONE, DONE], [P, P, P, P, P, S]),
        ([BROKEN, BROKEN, BROKEN], [P, P, F]),
        ([BROKEN, BROKEN, DONE, DONE, DONE], [P, P, P, P, S]),
    ],
)
def test_hits_count_in_a_row_and_over_a_restart(
    server: Provider, replies: list[Reply], expected: list[CheckStatus]
) -> None:
    found, _ = run(server, replies, consecutive=3, fail_when="state == 'broken'")
    assert found == expected


def test_nothing_is_remembered_where_one_hit_is_enough(server: Provider) -> None:
    found, memory = run(server, [RUNNING, ERROR, DONE])
    assert (found, memory.writes) == ([P, U, S], 0)


def test_nothing_is_written_while_nothing_changes(server: Provider) -> None:
    assert run(server, [RUNNING] * 5, consecutive=2)[1].writes == 0


@pytest.mark.parametrize(
    "memory",
    [{"hit": "success", "count": "9"}, {"hit": "success", "count": True}, {"hit": 1, "count": 9}, {"count": 9},
     {"hit": "failure", "count": 9}, {"hit": "success", "count": -9}, {"hit": ["success"], "count": None}],
)  # fmt: skip
def test_a_memory_that_is_none_counts_for_nothing(server: Provider, memory: Mapping[str, Any]) -> None:
    assert ask(server.url, {**WHEN, "consecutive": 2}, memory=memory).status is P


# ------------------------------------------------------------------- actions that cannot be


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"url": "ftp://x/"}, "url is no http:// or https:// address"),
        ({"url": "http://[::1/"}, "url is no address"),
        ({"url": "http://me:pw-0123456789@127.0.0.1/"}, "url holds a name or password"),
        ({"url": "http://127.0.0.1:99999/"}, "url is no address"),
        ({"success_when": "state = 'x'"}, "success_when is no JMESPath: character 7: ="),
        ({"fail_when": "nothing(state)"}, "fail_when there is no function nothing()"),
        ({"percent": "a["}, "percent is no JMESPath: it breaks off"),
        ({"ca_file": "/does/not/exist.pem"}, "ca_file cannot be read"),
        ({"ca_file": "a\x00b"}, "ca_file cannot be read"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_asked(server: Provider, config: Mapping[str, Any], says: str) -> None:
    result = ask(server.url, {**WHEN, **config})
    assert result.status is CheckStatus.UNKNOWN
    assert says in result.detail
    assert "pw-0123456789" not in result.detail + result.url
    assert server.requests == []


def test_without_a_condition_and_a_status_nothing_is_success(server: Provider) -> None:
    assert ask(server.url, {}).status is CheckStatus.UNKNOWN


def test_an_authority_of_ones_own(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "tls")
    with Provider(DONE, (certificate, key)) as server:
        assert ask(server.url).status is CheckStatus.UNKNOWN
        assert ask(server.url, {**WHEN, "ca_file": str(certificate)}).status is CheckStatus.SUCCESS


def test_many_at_once_on_one_checker_do_not_mix(server: Provider) -> None:
    server.answer = lambda request: Reply.of_json({"at": request.path})
    checker = HttpChecker()
    found: dict[str, CheckStatus] = {}

    def one(name: str) -> None:
        config = {"url": f"{server.url}/{name}", "success_when": f"at == '/{name}'", "fail_when": f"at != '/{name}'"}
        found[name] = checker.check(check_request(config, id=name)).status

    threads = [threading.Thread(target=one, args=(f"n{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found.values()) == {CheckStatus.SUCCESS}
    assert len(found) == 20


def test_the_wish_of_the_service_is_heard_for_dates_too(server: Provider) -> None:
    server.answer = Reply(status=503, headers={"Retry-After": "Tue, 14 Nov 2023 22:15:20 GMT"})
    assert ask(server.url, now=1_700_000_000.0).next_in == 120.0
