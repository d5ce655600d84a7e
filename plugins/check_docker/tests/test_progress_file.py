"""What the progress file of a build adds to its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker_asking import Asking
from docker_program import BEFORE, DockerProgram, build, lines, log, step

from tmux_sentry import CheckStatus
from tmux_sentry.testing.samples import HOSTILE_TEXTS
from tmux_sentry_check_docker.build import BuildCheck

JUST_BEFORE = "2023-11-14T22:13:19.9Z"
PENDING, SUCCESS, FAILURE, UNKNOWN = CheckStatus.PENDING, CheckStatus.SUCCESS, CheckStatus.FAILURE, CheckStatus.UNKNOWN


def asking(path: str | Path) -> Asking:
    return Asking(BuildCheck({}), progress_file=str(path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "build log.json"


def test_a_progress_file_says_how_far_a_build_is(docker: DockerProgram, file: Path) -> None:
    docker.lists(build())
    file.write_text(lines({"vertexes": [step("a"), step("b", completed=None), step("c", None, None), step("d")]}))
    result = asking(file)()
    assert (result.status, result.percent) == (PENDING, 50.0)


@pytest.mark.parametrize("status", ["Completed", "Error"])
def test_the_history_decides_whatever_the_file_says(docker: DockerProgram, file: Path, status: str) -> None:
    docker.lists(build(status=status))
    error = {} if status == "Error" else {"error": "exit code: 2"}
    file.write_text(lines({"vertexes": [step("a", **error)]}))
    assert asking(file)().status is (SUCCESS if status == "Completed" else FAILURE)


def test_a_failed_step_waits_for_the_history(docker: DockerProgram, file: Path) -> None:
    docker.lists(build())
    file.write_text(lines({"vertexes": [step("a", error="exit code: 2")]}))
    assert asking(file)().status is PENDING


WITHOUT_HISTORY = [
    ([step("a"), step("b")], PENDING, "2 of 2 steps in the progress file; only the history says"),
    ([step("a"), step("b", completed=None)], PENDING, "1 of 2 steps"),
    ([step("a"), step("b", error="exit code: 2")], FAILURE, "[b] RUN make"),
    ([step("b", error="exit code: 2"), step("b")], PENDING, "1 of 1 steps"),  # it was run again
    ([step("b", error="context canceled: context canceled")], PENDING, "0 of 1 steps"),
    ([step("b", name="importing cache manifest from x", error="not found")], PENDING, "0 of 1 steps"),
    ([step("b", name="exporting cache to registry", error="denied")], PENDING, "0 of 1 steps"),
    ([step("b", BEFORE, BEFORE, error="exit code: 2")], UNKNOWN, "buildx"),  # an older build's file
    ([step("b", JUST_BEFORE, JUST_BEFORE, error="exit code: 2")], UNKNOWN, "buildx"),  # that of the stage before
    ([step("b", BEFORE, BEFORE), step("a", None, None)], UNKNOWN, "buildx"),
    ([step("b", None, None, error="exit code: 2")], PENDING, "0 of 1 steps"),
    ([], UNKNOWN, "buildx"),
]


@pytest.mark.parametrize(("steps", "status", "word"), WITHOUT_HISTORY)
def test_a_file_alone_never_says_success(
    docker: DockerProgram, file: Path, steps: list[Any], status: CheckStatus, word: str
) -> None:
    docker.says("ls", err="docker: unknown command: docker buildx\n", status=1)
    file.write_text(lines(*({"vertexes": [one]} for one in steps), {"logs": [log("b", "cc: fatal\n")]}))
    result = asking(file)()
    assert (result.status, word in result.detail) == (status, True), result
    assert ("cc: fatal" in result.log_tail) == (status is FAILURE)


def test_a_file_that_is_not_there_changes_nothing(docker: DockerProgram, file: Path) -> None:
    docker.lists(build())
    result = asking(file)()
    assert (result.status, "cannot be read" in result.detail) == (PENDING, True)
    docker.lists(build(status="Completed"))
    assert asking(file)().status is SUCCESS


def test_a_file_in_the_home_directory(docker: DockerProgram, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker.lists(build())
    monkeypatch.setenv("HOME", str(file.parent))
    file.write_text(lines({"vertexes": [step("a"), step("b", completed=None)]}))
    assert asking(f"~/{file.name}")().percent == 50.0
    strange = file.with_name("$(touch x); `id` \"'")
    strange.write_text(lines({"vertexes": [step("a")]}))
    assert asking(f"~/{strange.name}")().percent == 100.0
    assert asking(strange)().percent == 100.0


def test_of_a_long_file_the_beginning_and_the_end_are_read(docker: DockerProgram, file: Path) -> None:
    docker.says("ls", status=1)
    noise = lines({"logs": [log("a", "x" * 1000)]}) * 6000
    file.write_text(
        lines({"vertexes": [step("a", completed=None)]}) + noise + lines({"vertexes": [step("a", error="exit 1")]})
    )
    assert file.stat().st_size > 6 * 1024 * 1024
    result = asking(file)()
    assert (result.status, len(result.log_tail) < 4000) == (FAILURE, True)


@pytest.mark.parametrize("path", ["build.json", "-n", "~root/x", "", "/a\nb", "/a\x00b", *HOSTILE_TEXTS[1:]])
def test_what_is_no_path_is_not_read(docker: DockerProgram, path: str) -> None:
    docker.lists(build())
    assert asking(path)().status in ((UNKNOWN,) if path else (PENDING,))


@pytest.mark.parametrize(
    "said",
    [
        "", "{", "null", "[]", '"x"', "{}", '{"vertexes": {}}', '{"vertexes": [null, 1, [], {}]}', "{" * 100_000,
        '{"vertexes": [{"digest": 1}, {"digest": "a", "started": {}, "error": ["x"], "name": 5}]}',
        '{"logs": [{"vertex": "a", "data": "%%%"}, {"vertex": "a", "data": 5}, {"vertex": [], "data": "ü"}]}',
        '{"vertexes": [{"digest": "a", "error": "\\ud800", "started": "9999-99-99T00:00:00Z"}]}', "\x00" * 1000,
    ],
)  # fmt: skip
def test_a_file_that_is_none_decides_nothing(docker: DockerProgram, file: Path, said: str) -> None:
    docker.says("ls", status=1)
    file.write_text(said + "\n" + said)
    assert not asking(file)().status.final
    assert not asking(file.parent)().status.final
