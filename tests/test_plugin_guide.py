"""The plugins that docs/plugins.md writes, made as a stranger would: outside of this workspace, as wheels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build import ProjectBuilder
from pyproject_hooks import quiet_subprocess_runner

from tmux_sentry.testing.provider import Provider, Received, Reply

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins.md"
#: Plugin -> the section of the page that writes it.
PLUGINS = {"notify_logfile": "An example: a channel", "check_jenkins": "A checker, from nothing to installed"}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def section(title: str) -> list[tuple[str, str]]:
    """(language, text) of the blocks of a section."""
    text = PAGE.read_text().partition(f"\n## {title}\n")[2]
    return BLOCK.findall(text.partition("\n## ")[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`NAME/` is each plugin as its author has it; `site/` has the wheels installed."""
    folder = tmp_path_factory.mktemp("plugins")
    for name, title in PLUGINS.items():
        project = folder / name
        (project / "src" / f"tmux_sentry_{name}").mkdir(parents=True)
        (project / "src" / f"tmux_sentry_{name}" / "__init__.py").touch()
        for language, block in section(title):
            if language in ("toml", "python"):
                path = project / block.splitlines()[0].removeprefix("# ")
                path.parent.mkdir(exist_ok=True)
                path.write_text(block)
        wheel = ProjectBuilder(project, runner=quiet_subprocess_runner).build("wheel", folder / "dist")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
        target = ["--no-deps", "--target", str(folder / "site")]
        subprocess.run([*pip, *target, str(wheel)], check=True, timeout=120)
        shutil.rmtree(project / "src")  # what runs is the wheel
    return folder


def environment(made: Path) -> dict[str, str]:
    path = os.pathsep.join([str(made / "site"), *filter(None, sys.path)])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_of_the_page_passes_the_tests_of_the_page(made: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=made / name,
        env=environment(made),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE), done.stdout


# ----------------------------------------------------------------------------- the channel


def test_the_channel_is_listed_and_delivers(made: Path, sandbox: Any) -> None:
    env = {"PYTHONPATH": environment(made)["PYTHONPATH"]}
    (row,) = [row for row in sandbox.json("plugins", **env) if row["name"] == "notify_logfile"]
    assert (row["kind"], row["version"], row["state"]) == ("notifier", "1.0.0", "ok")
    sandbox.ok("notify", "test", "logfile", LOGFILE_PATH="messages.txt", **env)
    assert "a test message of tmux-sentry" in (sandbox.work / "messages.txt").read_text()
    failed = sandbox.run("notify", "test", "logfile", LOGFILE_PATH=str(sandbox.work), **env)
    assert failed.returncode == 1
    assert "Is a directory" in failed.stdout + failed.stderr


# ----------------------------------------------------------------------------- the checker

BUILD = {"number": 7, "building": True, "result": None, "url": "https://ci.example.com/job/nightly/7/"}


class Jenkins:
    """Has an old build, and begins a new one when it is told to."""

    def __init__(self) -> None:
        self.build: dict[str, Any] = {**BUILD, "number": 6, "result": "SUCCESS", "building": False, "timestamp": 1}

    def __call__(self, request: Received) -> Reply:
        number = request.path.split("/")[3]
        if request.headers.get("authorization") != "Basic bWU6dG9rZW4=":
            return Reply(status=401)
        if number not in ("lastBuild", str(self.build["number"])):
            return Reply(status=404)
        return Reply.of_json(self.build)


@pytest.fixture
def jenkins() -> Iterator[tuple[Jenkins, str]]:
    answers = Jenkins()
    with Provider(answers) as server:
        yield answers, server.url


def settings(made: Path, url: str) -> dict[str, str]:
    path = environment(made)["PYTHONPATH"]
    return {"PYTHONPATH": path, "JENKINS_URL": url, "JENKINS_TOKEN": "me:token"}


def policy() -> str:
    """The stage of the page, in a pipeline."""
    (stage,) = [block for language, block in section(PLUGINS["check_jenkins"]) if language == "yaml"]
    lines = "".join(f"      {line}\n" for line in stage.splitlines())
    return f"pipelines:\n  - name: ci\n    match: {{window_name: '^job$'}}\n    stages:\n{lines}"


def test_the_policy_of_the_page_runs_to_the_end(made: Path, sandbox: Any, jenkins: tuple[Jenkins, str]) -> None:
    answers, url = jenkins
    sandbox.program("start-nightly.sh", "#!/bin/sh\necho started > started\n", sandbox.work)
    sandbox.pane()
    run = sandbox.watch(sandbox.write("p.yaml", policy()), "--once", **settings(made, url))
    run.wait_line("no build since the stage began")  # the old success is none
    assert (sandbox.work / "started").exists()
    answers.build = {**BUILD, "timestamp": 9_000_000_000_000}
    run.wait_line("external check: build 7: running")
    answers.build = {**answers.build, "building": False, "result": "SUCCESS"}
    assert run.end() == 0
    assert sandbox.stages() == [("nightly", "succeeded")]


def test_mistakes_in_its_keys_are_errors_with_their_place(made: Path, sandbox: Any) -> None:
    path = sandbox.write("p.yaml", policy().replace("job: nightly", "jbo: 7"))
    done = sandbox.run("check", "--policy", path, PYTHONPATH=environment(made)["PYTHONPATH"])
    assert done.returncode == 2
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "jbo" in text)
    assert f"p.yaml:{line}:" in done.stderr
    assert "'job' is missing" in done.stderr
    assert "unknown key 'jbo'" in done.stderr
    assert "did you mean 'job'?" in done.stderr


def test_it_can_be_asked_by_hand(made: Path, sandbox: Any, jenkins: tuple[Jenkins, str]) -> None:
    answers, url = jenkins
    answers.build = {**BUILD, "timestamp": 9_000_000_000_000}
    env = settings(made, url)
    said = sandbox.ok("checks", "test", "jenkins", "job=nightly", "--since", "1h", **env)
    assert said == f"pending: build 7: running\nlink: {BUILD['url']}\n"
    refused = sandbox.run("checks", "test", "jenkins", "job=nightly", **{**env, "JENKINS_TOKEN": "me:wrong"})
    assert (refused.returncode, refused.stdout) == (1, "unknown: Jenkins: HTTP 401\n")
