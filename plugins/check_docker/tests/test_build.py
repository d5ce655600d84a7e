"""Which build is meant, and how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from docker_asking import Asking
from docker_program import BEFORE, LATER, DockerProgram, build, lines, log, step

from tmux_sentry import CheckStatus, HostAccess
from tmux_sentry.testing.samples import HOSTILE_TEXTS
from tmux_sentry.testing.ssh_server import running_ssh_server
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.ssh import SshTransport
from tmux_sentry_check_docker.build import BuildCheck

PENDING, SUCCESS, FAILURE = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE
ATTENTION, UNKNOWN = CheckStatus.ATTENTION, CheckStatus.UNKNOWN
JUST_BEFORE = "2023-11-14T22:13:19.9Z"


def asking(host: HostAccess | None = None, **config: Any) -> Asking:
    return Asking(BuildCheck({}), host, **config)


# --------------------------------------------------------------------------- which, and how


@pytest.mark.parametrize(
    ("row", "status", "word"),
    [
        (build(), PENDING, "webapp (one) runs, 2 of 8 steps (1 from the cache)"),
        (build(status="Completed"), SUCCESS, "webapp (one) is built"),
        (build(status="Error"), FAILURE, "webapp (one) failed"),
        (build(status="Paused"), UNKNOWN, "Paused"),
        (build(status=""), UNKNOWN, "does not know"),
        (build(status="completed"), UNKNOWN, "does not know"),
        (build(created=BEFORE, status="Completed"), PENDING, "no build has begun"),
        (build(created=BEFORE, status="Error"), PENDING, "no build has begun"),
        (build(created="2023-11-14T22:13:20Z"), PENDING, "runs"),
        (build(created=JUST_BEFORE, status="Completed"), PENDING, "no build has begun"),
        (build(name="", status="Completed"), SUCCESS, "a build without a name (one)"),
        (build(total_steps="8"), PENDING, "webapp (one) runs"),
    ],
)
def test_the_only_build(docker: DockerProgram, row: dict[str, Any], status: CheckStatus, word: str) -> None:
    docker.lists(row)
    result = asking()()
    assert (result.status, word in result.detail) == (status, True), result


@pytest.mark.parametrize(
    ("steps", "percent"),
    [((8, 2), 25.0), ((8, 9), 100.0), ((0, 0), None), ((8, None), None), ((-1, 2), None), ((8, -2), None)],
)
def test_how_far_it_is(docker: DockerProgram, steps: tuple[Any, Any], percent: float | None) -> None:
    docker.lists(build(total_steps=steps[0], completed_steps=steps[1]))
    assert asking()().percent == percent


def test_no_build(docker: DockerProgram) -> None:
    docker.lists()
    result = asking(name="webapp")()
    assert (result.status, result.detail) == (PENDING, "no build called webapp has begun since the stage did")


def test_of_several_builds_none_is_taken(docker: DockerProgram) -> None:
    docker.lists(build(status="Completed"), build("two", name="worker"))
    result = asking()()
    assert result.status is ATTENTION
    assert "webapp (one), worker (two)" in result.detail
    assert asking(name="webapp")().status is SUCCESS
    assert asking(name="work*")().status is PENDING
    assert asking(name="w*")().status is ATTENTION
    assert asking(name="WEBAPP")().status is PENDING
    assert "no build called" in asking(name="WEBAPP")().detail


def test_the_build_that_was_found_is_followed(docker: DockerProgram) -> None:
    docker.lists(build())
    ask = asking()
    assert ask().status is PENDING
    assert ask.memory["ref"] == "default/default/one"
    docker.lists(build("two", "Completed", LATER), build())
    assert ask().status is PENDING
    docker.lists(build("two", "Running", LATER), build(status="Completed"))
    assert ask().status is SUCCESS


def test_after_a_failure_a_later_build_counts(docker: DockerProgram) -> None:
    docker.lists(build(), build("zero", "Completed", BEFORE))
    ask = asking()
    ask()
    docker.lists(build(status="Error"), build("zero", "Completed", BEFORE))
    assert ask().status is FAILURE
    docker.lists(build("two", created=LATER), build(status="Error"), build("zero", "Completed", BEFORE))
    assert ask().status is PENDING
    docker.lists(build("two", "Completed", LATER), build(status="Error"))
    assert ask().status is SUCCESS


@pytest.mark.parametrize("status", ["Completed", "Error"])
def test_the_build_of_one_stage_answers_no_later_one(docker: DockerProgram, status: str) -> None:
    """By its name in the history, whatever the clocks say."""
    docker.lists(build(status=status))
    ask = asking()
    assert ask().status.final
    retry = ask.next()
    assert (retry().status, "no build has begun" in retry().detail) == (PENDING, True)
    docker.lists(build("two", "Completed", LATER), build(status=status))
    assert retry().status is SUCCESS
    assert retry.next()().status is PENDING


def test_what_began_before_an_earlier_stages_build_answers_no_later_one(docker: DockerProgram) -> None:
    """The first try of an earlier stage, say, which was built again."""
    docker.lists(build(status="Error"))
    ask = asking()
    ask()
    docker.lists(build("two", "Completed", LATER), build(status="Error"))
    assert ask().status is SUCCESS
    assert ask.next()().status is PENDING


def test_an_earlier_check_of_another_name_is_in_nobodys_way(docker: DockerProgram) -> None:
    """`docker compose build` builds both at once, and each has its check."""
    docker.lists(build("two", "Completed", LATER), build("one", "Completed", name="worker"))
    web, worker = asking(name="webapp"), asking(name="worker")
    assert web().status is SUCCESS
    worker.earlier = (web.memory,)
    assert worker().status is SUCCESS


def test_a_clock_that_is_ours_is_taken_at_its_word(docker: DockerProgram, here: HostAccess) -> None:
    docker.lists(build(created=JUST_BEFORE, status="Completed"))
    assert asking(here)().status is PENDING
    for address, status in (("unix:///run/docker.sock", PENDING), ("tcp://nas:2376", SUCCESS), ("ssh://nas", SUCCESS)):
        ask = Asking(BuildCheck({"DOCKER_HOST": address}), here, docker="local")
        assert ask().status is status
        assert ask.next()().status is PENDING
    docker.lists(build(created="2023-11-14T22:13:17.9Z", status="Completed"))
    assert Asking(BuildCheck({"DOCKER_HOST": "ssh://nas"}))().status is PENDING


def test_a_machine_on_another_kernel_may_be_two_seconds_behind(docker: DockerProgram, here: HostAccess) -> None:
    docker.lists(build(created=JUST_BEFORE, status="Completed"))
    cat = docker.bin / "cat"
    for script in ("echo another kernel", "exit 1"):  # no Linux
        cat.write_text(f'#!/bin/sh\ncase "$1" in /proc/*) {script} ;; *) exec /bin/cat "$@" ;; esac\n')
        cat.chmod(0o755)
        assert asking(here)().status is SUCCESS


def test_a_build_that_is_no_longer_known_is_never_a_success(docker: DockerProgram) -> None:
    docker.lists(build())
    ask = asking()
    ask()
    docker.lists()
    result = ask()
    assert (result.status, "nobody knows how it ended" in result.detail) == (UNKNOWN, True)


def test_an_old_build_that_comes_into_sight_is_not_new(docker: DockerProgram) -> None:
    """The list is cut, and another builder may become the current one."""
    docker.lists()
    ask = asking()
    assert ask().status is PENDING
    docker.lists(build("old", "Completed", BEFORE))
    assert ask().status is PENDING


@pytest.mark.parametrize("memory", [{"first": None}, {"first": "x"}, {"ref": 5}, {"ref": None, "first": [1, None]}])
def test_a_memory_that_cannot_be_read_makes_nothing_new(docker: DockerProgram, memory: dict[str, Any]) -> None:
    docker.lists(build("old", "Completed", BEFORE))
    ask = asking()
    ask.memory = memory
    assert not ask().status.final


def test_the_builder_is_named(docker: DockerProgram) -> None:
    docker.lists(build(status="Error"))
    asking(builder="multi")()
    assert docker.argv() == [
        "buildx --builder multi history ls --format json",
        "buildx --builder multi history logs --progress rawjson one",
    ]


# ------------------------------------------------------------------------------- the log


def test_a_failure_shows_the_log_of_the_step_that_failed(docker: DockerProgram) -> None:
    docker.lists(build(status="Error"))
    docker.says(
        "logs",
        err="some words of buildx\n"
        + lines(
            {"vertexes": [step("a"), step("b", completed=None), step("c", completed=None)]},
            {"logs": [log("b", "cc -c x.c\n"), log("a", "fine\n")]},
            {"logs": [log("b", "x.c:1: error: Grüße\n")]},
            {"vertexes": [step("c", error="context canceled"), step("b", error="exit code: 2")]},
        ),
    )
    result = asking()()
    assert result.status is FAILURE
    assert result.log_tail == "[b] RUN make\ncc -c x.c\nx.c:1: error: Grüße\nexit code: 2"


def test_a_failure_stands_without_its_log(docker: DockerProgram) -> None:
    docker.lists(build(status="Error"))
    assert (asking()().status, asking()().log_tail) == (FAILURE, "")
    docker.says("logs", err="ERROR: no record found\n", status=1)
    assert asking()().log_tail == "ERROR: no record found"


# --------------------------------------------------------------------------- no history


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"err": "docker: unknown command: docker buildx\n\nRun 'docker --help'", "status": 1}, "buildx plugin"),
        ({"err": "unknown flag: --format\n\nUsage:  docker [OPTIONS] COMMAND", "status": 125}, "buildx plugin"),
        ({"err": "docker: 'buildx' is not a docker command.\n", "status": 1}, "buildx plugin"),
        ({"err": "ERROR: Cannot connect to the Docker daemon\n", "status": 1}, "Cannot connect to the Docker daemon"),
        ({"err": "ERROR: no builder \"x\" found; see docker buildx create\n", "status": 1}, "no builder"),
        ({"err": "\n", "status": 9}, "exit status 9"),
        ({"err": "sh: docker: not found", "status": 127}, "no program `docker`"),
        ({"out": json.dumps([build(status="Completed")])}, "something else than builds"),
        ({"out": json.dumps({"ID": "one", "Name": "webapp", "Status": "Completed"})}, "something else than builds"),
        ({"out": "BUILD ID NAME STATUS\none webapp Completed\n"}, "something else than builds"),
        ({"out": json.dumps(build(status="Completed")), "status": 1}, "exit status 1"),
    ],
)  # fmt: skip
def test_without_a_history_nobody_can_tell(docker: DockerProgram, said: dict[str, Any], word: str) -> None:
    docker.says("ls", **said)
    result = asking()()
    assert (result.status, word in result.detail) == (UNKNOWN, True), result


def test_without_docker_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = asking()()
    assert (result.status, "no program `docker`" in result.detail) == (UNKNOWN, True)


@pytest.mark.parametrize(
    "row",
    [
        {**build(status="Completed"), "ref": "--help"}, {**build(status="Completed"), "ref": "default/default/-x"},
        {**build(status="Completed"), "ref": "a/b/c/d"}, {**build(status="Completed"), "ref": "a b"},
        {**build(status="Completed"), "ref": ""}, {**build(status="Completed"), "ref": None},
        {**build(status="Completed"), "created_at": None}, {**build(status="Completed"), "created_at": 1_700_000_030},
        {**build(status="Error"), "ref": "default/default/$(id)"}, {**build(status="Error"), "ref": ["x"]},
        None, [], "x", 0, {"a": [[]]},
    ],
)  # fmt: skip
def test_a_row_that_is_no_build_decides_nothing_and_runs_nothing(docker: DockerProgram, row: Any) -> None:
    docker.lists(row)
    assert asking()().status is UNKNOWN
    docker.lists(row, build("old", "Completed", BEFORE))
    assert asking()().status is PENDING
    assert not [one for one in docker.argv() if "logs" in one]


@pytest.mark.parametrize("builder", ["-x", "--help", "a b", "$(id)", *HOSTILE_TEXTS[1:]])
def test_what_is_no_builder_is_not_run(docker: DockerProgram, builder: str) -> None:
    assert asking(builder=builder)().status is UNKNOWN
    assert not (docker.folder / "argv").exists()


# ----------------------------------------------------------------------- the other machine


def test_the_history_of_a_host_over_ssh(docker: DockerProgram) -> None:
    docker.lists(build(status="Completed"))
    with running_ssh_server(f"SetEnv PATH={docker.bin}:/usr/bin:/bin") as server:
        transport = SshTransport("nas", server.target)
        try:
            assert asking(TransportAccess(transport))().status is SUCCESS
            server.stop()
            result = asking(TransportAccess(transport))()
        finally:
            transport.close()
    assert (result.status, "nas" in result.detail) == (UNKNOWN, True), result


def test_only_docker_local_takes_the_settings(docker: DockerProgram, here: HostAccess) -> None:
    docker.lists()
    settings = {"DOCKER_HOST": "ssh://nas", "DOCKER_CERT_PATH": "/certs"}
    for where in ("local", "host"):
        Asking(BuildCheck(settings), here, docker=where)()
    seen = (docker.folder / "environment").read_text().splitlines()
    assert seen == ["ssh://nas 1", "unset unset"]
