"""The keys `since` and `changed` of the check `http`: an answer from before the stage is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tmux_sentry import CheckResult, CheckStatus
from tmux_sentry.testing.provider import Provider, Reply
from tmux_sentry.testing.samples import AT, check_request
from tmux_sentry_check_http.http_check import HttpChecker

P, S, F, U = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE, CheckStatus.UNKNOWN
WHEN = {"success_when": "state == 'done'", "fail_when": "state == 'broken'", "percent": "percent", "detail": "state"}
SINCE, CHANGED = {"since": "rollout.at"}, {"changed": "rollout.id"}


@pytest.fixture
def server() -> Iterator[Provider]:
    with Provider(Reply(status=404)) as provider:
        yield provider


class Checks:
    """The `http` checks of one Run, in order: each as the core asks it, with what all of them remember."""

    def __init__(self, server: Provider, **config: Any) -> None:
        self.server, self.config = server, {"url": server.url, **WHEN, **config}
        self.memories: list[Mapping[str, Any]] = []
        self.writes = 0

    def remember(self, number: int, memory: Mapping[str, Any]) -> None:
        self.memories[number] = json.loads(json.dumps(memory, allow_nan=False))
        self.writes += 1

    def ask(self, reply: Reply | Mapping[str, Any], number: int = 0, started_at: float = AT) -> CheckResult:
        """Check `number`, by a new process, while the service answers that: a rollout, which is done unless it says."""
        self.server.answer = reply
        if not isinstance(reply, Reply):
            what = dict(reply)
            state = what.pop("state", "done")
            self.server.answer = Reply.of_json({"state": state, "percent": 40, "rollout": what})
        self.memories += [{}] * (number + 1 - len(self.memories))
        request = check_request(
            self.config,
            started_at=started_at,
            memory=self.memories[number],
            remember=lambda memory: self.remember(number, memory),
            earlier=tuple(self.memories[:number]),
        )
        return HttpChecker().check(request)


# -------------------------------------------------------------------------------- since

TIMES = [
    # AT is 2023-11-14T22:13:20Z; the stage begins half a second later
    ("2023-11-14T22:13:21Z", S),
    ("2023-11-14T22:13:20.5Z", S),
    ("2023-11-14T22:13:20.499Z", P),
    ("2023-11-14T22:13:20.5000001+00:00", S),
    ("2023-11-14T22:13:20Z", S),  # all of that second, which the stage began in
    ("2023-11-14T22:13:19Z", P),
    ("2023-11-14T22:13:19.999Z", P),
    ("2023-11-14 23:13:21+0100", S),
    ("2023-11-14T23:13:19+01", P),
    ("2023-11-14T16:43:21-05:30", S),
    ("2023-11-14T23:13:21-01:00", S),
    ("2023-11-14T21:13:21+01:00", P),
    ("2022-01-01T00:00:00Z", P),
    (AT + 1, S),
    (AT + 0.6, S),
    (AT, S),
    (AT + 0.4, P),
    (int(AT) - 1, P),
    (int(AT) + 1, S),
    (1, P),
    # no times, or nobody knows which
    ("2023-11-14T22:13:21", U),
    ("2023-11-14", U),
    ("2023-02-30T00:00:00Z", U),
    ("2023-11-14T22:13:21 CET", U),
    ("yesterday", U),
    ("", U),
    (str(AT + 1), U),
    ((AT + 1) * 1000, U),
    (0, U),
    (-1, U),
    (True, U),
    (None, U),
    ([AT + 1], U),
    ({"at": AT + 1}, U),
]


@pytest.mark.parametrize(("at", "status"), TIMES)
def test_an_answer_from_before_the_stage_is_none(server: Provider, at: object, status: CheckStatus) -> None:
    for state, counted in (("done", status), ("broken", F if status is S else status)):
        result = Checks(server, **SINCE).ask({"at": at, "state": state}, started_at=AT + 0.5)
        assert result.status is counted, result
        if status is P:
            assert "from before the stage began: rollout.at is" in result.detail
            assert result.percent is None
        if status is U:
            assert "since: rollout.at is no time" in result.detail


def test_an_answer_without_the_time_is_unknown(server: Provider) -> None:
    checks = Checks(server, **SINCE)
    for reply in (Reply.of_json({"state": "done"}), Reply.of_json([]), Reply(body=b"<html>"), Reply(status=500)):
        assert checks.ask(reply).status is U
    assert checks.ask({"at": AT + 1}).status is S


def test_what_one_check_has_followed_answers_no_later_one(server: Provider) -> None:
    """Two stages in one second, or a service whose clock is ahead."""
    checks = Checks(server, **SINCE)
    assert checks.ask({"at": AT}).status is S
    late = checks.ask({"at": AT}, 1)
    assert (late.status, "an earlier check of this run has followed it" in late.detail) == (P, True)
    assert checks.ask({"at": AT + 5, "state": "running"}, 1).status is P
    assert checks.ask({"at": AT + 5}, 1).status is S
    assert [checks.ask({"at": at}, 2).status for at in (AT, AT + 5, AT + 6)] == [P, P, S]
    checks.config["url"] += "/elsewhere"
    assert checks.ask({"at": AT + 1}, 3).status is S


# ------------------------------------------------------------------------------ changed


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([{"id": 7}, {"id": 7}, {"id": 8}], [P, P, S]),
        ([{"id": 7}, {"id": 8, "state": "x"}, {"id": 8, "state": "broken"}], [P, P, F]),
        ([{"id": 7}, {"id": 8, "state": "x"}, {"id": 7}], [P, P, P]),
        ([{"id": "7"}, {"id": 7}], [P, S]),
        ([{"id": {"a": 1, "b": 2}}, {"id": {"b": 2, "a": 1}}, {"id": {"a": 1}}], [P, P, S]),
        ([{"id": 7}, {"id": None}, {}, {"id": 7}, {"id": 8}], [P, U, U, P, S]),
        ([{"id": 7}, Reply(status=500), {"id": 8}], [P, U, S]),
        ([{"id": 7}, Reply(body=b"<html>"), {"id": 8}], [P, U, S]),
        ([{}, {"id": None}, {"id": 7}, {"id": 8}], [U, U, P, S]),  # what is not there is no first value
        ([Reply(status=500), Reply(body=b"<html>"), {"id": 7}, {"id": 8}], [U, U, P, S]),
    ],
)
def test_a_value_must_have_changed_since_the_first_answer(
    server: Provider, answers: list[Any], expected: list[CheckStatus]
) -> None:
    checks = Checks(server, **CHANGED)
    assert [checks.ask(answer).status for answer in answers] == expected


def test_what_did_not_change_is_told_and_not_remembered_in_clear(server: Provider) -> None:
    checks = Checks(server, **CHANGED)
    assert checks.ask({"id": "release-7"}).detail == "rollout.id is release-7 as at the first answer"
    assert "release-7" not in json.dumps(checks.memories)
    checks.ask({"id": "release-7"})
    assert checks.writes == 1


def test_what_has_changed_in_one_stage_has_not_in_the_next(server: Provider) -> None:
    checks = Checks(server, **CHANGED)
    assert [checks.ask({"id": id_}).status for id_ in (1, 2)] == [P, S]
    assert [checks.ask({"id": id_}, 1).status for id_ in (2, 3)] == [P, S]
    # A replica that lags behind shows the older value first.
    assert [checks.ask({"id": id_}, 2).status for id_ in (2, 3, 4)] == [P, P, S]


def test_a_switch_may_go_to_and_fro(server: Provider) -> None:
    checks = Checks(server, **CHANGED)
    sides = ["blue", "green", "blue", "green"]
    for number in range(3):
        assert [checks.ask({"id": side}, number).status for side in sides[number : number + 2]] == [P, S]


def test_both_keys_go_together_and_with_hits_in_a_row(server: Provider) -> None:
    checks = Checks(server, **SINCE, **CHANGED, consecutive=2)
    answers = [{"id": 1, "at": 1}, {"id": 1, "at": AT + 1}, {"id": 2, "at": 1}, {"id": 2, "at": AT + 1}]
    assert [checks.ask(answer).status for answer in [*answers, answers[-1]]] == [P, P, P, P, S]


def test_a_status_alone_may_be_tied_to_the_stage(server: Provider) -> None:
    checks = Checks(server, **SINCE, status=200)
    del checks.config["success_when"], checks.config["fail_when"]
    assert checks.ask({"at": 1}).status is P
    assert "the answer is no JSON" in checks.ask(Reply(body=b"OK")).detail
    assert checks.ask({"at": AT + 1}).status is S


@pytest.mark.parametrize("memory", [{"about": 1, "first": "x"}, {"first": "x"}, {"about": ["x"]}, {"since": "x"}])
def test_a_memory_that_is_none_counts_for_nothing(server: Provider, memory: Mapping[str, Any]) -> None:
    checks = Checks(server, **SINCE, **CHANGED)
    checks.memories = [memory]
    assert [checks.ask({"id": id_, "at": AT + 1}).status for id_ in (1, 2)] == [P, S]


def test_an_answer_that_repeats_a_secret_does_not_bring_it_into_the_detail(server: Provider) -> None:
    token = "tok-0123456789abcdef"
    for key in (SINCE, CHANGED):
        checks = Checks(server, **key, headers={"Authorization": f"Bearer {token}"})
        assert token not in checks.ask({"id": token, "at": token}).detail
