"""What a container's state means."""

from __future__ import annotations

from typing import Any

import pytest
from docker_asking import Asking
from engine_api import ID, OTHER_ID, EngineApi, container, frame

from tmux_sentry import CheckStatus
from tmux_sentry.testing.samples import AT, HOSTILE_TEXTS
from tmux_sentry_check_docker.container import ContainerCheck

PENDING, SUCCESS, FAILURE = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE
ATTENTION, UNKNOWN = CheckStatus.ATTENTION, CheckStatus.UNKNOWN
BEFORE, DURING, LATER = "2023-11-14T22:13:10Z", "2023-11-14T22:13:30Z", "2023-11-14T22:13:40Z"


def asking(engine: EngineApi, **config: Any) -> Asking:
    checker = ContainerCheck({"DOCKER_HOST": engine.address}, seconds=2.0)
    return Asking(checker, **{"name": "web", "docker": "local", **config})


def health(status: str, output: str = "") -> dict[str, Any]:
    return {"Health": {"Status": status, "FailingStreak": 3, "Log": [{"Output": "old"}, {"Output": output}]}}


STATES = [
    # what Docker says, until, what it means, a word of the detail
    (container("running"), None, SUCCESS, "it runs"),
    (container("running"), "running", SUCCESS, "it runs"),
    (container("running"), "healthy", ATTENTION, "HEALTHCHECK"),
    (container("running"), "exited", PENDING, "it runs"),
    (container("running", **health("starting")), None, PENDING, "starting"),
    (container("running", **health("healthy")), None, SUCCESS, "healthy"),
    (container("running", **health("healthy")), "healthy", SUCCESS, "healthy"),
    (container("running", **health("starting")), "running", SUCCESS, "it runs"),
    (container("running", **health("unhealthy")), None, PENDING, "unhealthy"),
    (container("running", **health("none")), None, SUCCESS, "it runs"),
    (container("running", **health("wobbly")), None, UNKNOWN, "wobbly"),
    (container("created"), None, PENDING, "not started"),
    (container("created", Error="port is taken", ExitCode=128), None, FAILURE, "port is taken"),
    (container("paused"), None, ATTENTION, "docker unpause"),
    (container("restarting", ExitCode=1), None, PENDING, "restarting with exit status 1"),
    (container("restarting", ExitCode=1), "exited", PENDING, "restarting"),
    (container("removing"), None, PENDING, "removing"),
    (container("dead"), None, ATTENTION, "docker rm"),
    (container("dead"), "exited", ATTENTION, "docker rm"),
    (container("exited", FinishedAt=DURING), None, FAILURE, "exit status 0"),
    (container("exited", FinishedAt=DURING), "exited", SUCCESS, "exit status 0"),
    (container("exited", FinishedAt=DURING, ExitCode=3), "exited", FAILURE, "exit status 3"),
    (container("exited", FinishedAt=DURING, ExitCode=137, OOMKilled=True), "exited", FAILURE, "out of memory"),
    (container("exited", FinishedAt=DURING, ExitCode=None), "exited", UNKNOWN, "which exit status"),
    (container("exited", FinishedAt=DURING, ExitCode=False), "exited", UNKNOWN, "which exit status"),
    (container("exited", FinishedAt=DURING, ExitCode="0"), "exited", UNKNOWN, "which exit status"),
    (container("exited", FinishedAt=None), "exited", PENDING, "before the stage began"),
    (container("exited", FinishedAt=BEFORE), "exited", PENDING, "before the stage began"),
    (container("exited", StartedAt=BEFORE, FinishedAt=DURING), "exited", SUCCESS, "exit status 0"),
    (container("exited", StartedAt=BEFORE, FinishedAt=DURING, ExitCode=1), None, PENDING, "before the stage began"),
    (container("running", StartedAt=BEFORE), None, PENDING, "since before the stage began"),
    (container("running", StartedAt=BEFORE, **health("healthy")), None, PENDING, "since_stage: false"),
    (container("created", Created=BEFORE, Error="no", ExitCode=1), None, PENDING, "not started"),
    (container("hibernating"), None, UNKNOWN, "hibernating"),
]


@pytest.mark.parametrize(("said", "until", "status", "word"), STATES)
def test_each_state(engine: EngineApi, said: dict[str, Any], until: str | None, status: CheckStatus, word: str) -> None:
    engine.containers["web"] = said
    result = asking(engine, **({"until": until} if until else {}))()
    assert (result.status, word in result.detail) == (status, True), result


def test_other_exit_statuses_may_be_good_ones(engine: EngineApi) -> None:
    engine.containers["web"] = container("exited", FinishedAt=DURING, ExitCode=2)
    assert asking(engine, until="exited", exit_codes=[0, 2])().status is SUCCESS
    engine.containers["web"] = container("exited", FinishedAt=DURING, ExitCode=0)
    assert asking(engine, until="exited", exit_codes=[2])().status is FAILURE


def test_what_happened_before_the_stage_counts_on_request(engine: EngineApi) -> None:
    engine.containers["web"] = container("exited", StartedAt=BEFORE, FinishedAt=BEFORE)
    assert asking(engine, until="exited", since_stage=False)().status is SUCCESS
    engine.containers["web"] = container("running", StartedAt=BEFORE)
    assert asking(engine, since_stage=False)().status is SUCCESS


AHEAD = [
    # what ended the check of one stage, by a clock that is ahead of ours; until; what does for the next
    (container("exited", FinishedAt=DURING), "exited", container("exited", FinishedAt=LATER)),
    (container("exited", FinishedAt=DURING, ExitCode=1), "exited", container("exited", FinishedAt=LATER)),
    (container("running"), "running", container("running", StartedAt=LATER)),
    (container("exited", FinishedAt=DURING), None, container("running", StartedAt=LATER)),
    (container("created", Error="no", ExitCode=1), None, container("running", StartedAt=LATER)),
    (container("running"), "running", container("running", Id=OTHER_ID)),
]


@pytest.mark.parametrize(("said", "until", "later"), AHEAD)
def test_what_one_stage_has_seen_answers_no_later_one(
    engine: EngineApi, said: dict[str, Any], until: str | None, later: dict[str, Any]
) -> None:
    engine.containers["web"] = said
    ask = asking(engine, **({"until": until} if until else {}))
    assert ask().status.final
    retry = ask.next()
    assert [retry().status, retry().status] == [PENDING, PENDING]
    engine.containers["web"] = later
    assert retry().status is SUCCESS
    assert retry.next()().status is PENDING


def test_what_ended_well_before_the_stage_answers_none(engine: EngineApi) -> None:
    """Also when it was seen for the first time in that stage."""
    engine.containers["web"] = container("exited", StartedAt=BEFORE, FinishedAt="2023-11-14T22:13:19.9Z")
    ask = asking(engine, until="exited")
    assert [ask().status, ask.next()().status] == [PENDING, PENDING]


def test_a_container_that_is_not_there_may_come(engine: EngineApi) -> None:
    ask = asking(engine)
    assert (ask().status, "no container web" in ask().detail) == (PENDING, True)
    engine.containers["web"] = container("running", StartedAt=BEFORE)  # by a clock that is slow
    assert ask().status is SUCCESS


def test_only_dockers_own_words_say_that_it_is_not_there(engine: EngineApi) -> None:
    engine.faults["/containers"] = (404, {"message": "page not found"})
    result = asking(engine)()
    assert (result.status, "HTTP 404: page not found" in result.detail) == (UNKNOWN, True)


def test_a_container_that_took_anothers_place_is_followed(engine: EngineApi) -> None:
    engine.containers["web"] = container("running", StartedAt=BEFORE)
    ask = asking(engine)
    assert ask().status is PENDING
    assert ask.memory["id"] == ID
    engine.containers["web"] = container("running", Id=OTHER_ID, StartedAt=BEFORE)
    result = ask()
    assert result.status is SUCCESS
    assert f"it has replaced {ID[:12]}" in result.detail


def test_a_container_that_was_started_again_counts_whatever_the_clocks_say(engine: EngineApi) -> None:
    engine.containers["web"] = container("exited", StartedAt=BEFORE, FinishedAt=BEFORE, ExitCode=1)
    ask = asking(engine, until="exited")
    assert ask().status is PENDING
    again = {"StartedAt": "2023-11-14T22:13:12Z", "FinishedAt": "2023-11-14T22:13:13Z"}
    engine.containers["web"] = container("exited", **again)
    assert ask().status is SUCCESS


def test_one_that_was_removed_is_never_a_success(engine: EngineApi) -> None:
    engine.containers["web"] = container("running")
    ask = asking(engine, until="exited")
    assert ask().status is PENDING
    engine.containers.clear()
    result = ask()
    assert (result.status, "--rm" in result.detail) == (UNKNOWN, True)
    assert asking(engine)().status is PENDING


@pytest.mark.parametrize("memory", [{"first": {}}, {"first": {"id": 1}}, {"first": "x", "id": 5}, {"unhealthy": "x"}])
def test_a_memory_that_cannot_be_read_makes_nothing_new(engine: EngineApi, memory: dict[str, Any]) -> None:
    engine.containers["web"] = container("running", StartedAt=BEFORE)
    ask = asking(engine)
    ask.memory = memory
    assert ask().status is PENDING


def test_unhealthy_must_last(engine: EngineApi) -> None:
    engine.containers["web"] = container("running", **health("unhealthy", "connection refused"))
    ask = asking(engine)
    assert [ask(AT + seconds).status for seconds in (10, 69)] == [PENDING, PENDING]
    engine.containers["web"] = container("running", **health("starting"))
    assert ask(AT + 70).status is PENDING
    engine.containers["web"] = container("running", **health("unhealthy", "connection refused"))
    assert [ask(AT + seconds).status for seconds in (71, 130)] == [PENDING, PENDING]
    result = ask(AT + 131)
    assert (result.status, result.log_tail) == (FAILURE, "connection refused")


def test_unhealthy_begins_anew_with_a_container_that_was_started_again(engine: EngineApi) -> None:
    engine.containers["web"] = container("running", **health("unhealthy"))
    ask = asking(engine)
    assert ask(AT + 10).status is PENDING
    engine.containers["web"] = container("running", StartedAt="2023-11-14T22:14:20Z", **health("unhealthy"))
    assert ask(AT + 100).status is PENDING
    assert asking(engine, unhealthy_seconds=0)().status is FAILURE


def test_a_failure_shows_what_the_container_wrote_last(engine: EngineApi) -> None:
    engine.containers["web"] = container("exited", FinishedAt=DURING, ExitCode=1)
    lines = b"".join(frame(1, b"line %d\n" % number) for number in range(100))
    engine.logs[ID] = lines + frame(2, "Grüße\nfatal: no\n".encode())
    tail = asking(engine, until="exited")().log_tail
    assert tail.endswith("Grüße\nfatal: no")
    assert len(tail.splitlines()) == 40
    assert engine.queries("/logs") == [{"stdout": "1", "stderr": "1", "tail": "40"}]


def test_a_failure_stands_without_its_log(engine: EngineApi) -> None:
    engine.containers["web"] = container("exited", FinishedAt=DURING, ExitCode=1)
    engine.faults[f"/containers/{ID}/logs"] = "reset"
    result = asking(engine, until="exited")()
    assert (result.status, result.log_tail) == (FAILURE, "")


@pytest.mark.parametrize("name", ["", "../images/x", "a/b", "-x", "web?x", "a b", "%2e", *HOSTILE_TEXTS])
def test_what_is_no_name_is_not_asked_for(engine: EngineApi, name: str) -> None:
    assert asking(engine, name=name)().status is UNKNOWN
    assert engine.asked == []


@pytest.mark.parametrize(
    "said",
    [
        container(Id="short"), container(Id="../" * 21 + "x"), container(Id=ID + "\n"), container(Id=ID.upper()),
        None, [], "x", 0, {}, {"Id": ID}, {"Id": ID, "State": None}, {"Id": ID, "State": []},
        {"Id": 5, "State": {"Status": "running"}}, {"Id": "short", "State": {"Status": "running"}},
        {"Id": ID, "State": {"Status": ["running"]}}, {"Id": ID, "State": {"Status": "x" * 100_000}},
        {"Id": ID, "State": {"Status": "running", "StartedAt": {}, "Health": {"Status": 1, "Log": [1]}}, "Config": []},
        {"Id": ID, "State": {"Status": "running", "StartedAt": "9999-99-99T99:99:99Z", "Health": "healthy"}},
        {"Id": ID, "State": {"Status": "exited", "ExitCode": 1e400, "FinishedAt": 5}},
        {"Id": ID, "Created": "\ud800", "State": {"Status": "created", "Error": ["x"], "ExitCode": "1"}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("until", ["running", "healthy", "exited"])
def test_what_is_no_container_decides_nothing(engine: EngineApi, said: Any, until: str) -> None:
    engine.containers["web"] = said
    result = asking(engine, until=until)()
    assert not result.status.final
    assert 0 < len(result.detail) < 500
