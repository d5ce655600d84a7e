"""Two machines with a pane of the same name: what is meant for one that is down is not done on the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.testing.tmux_server import TmuxServer, running_server

POLICY = """
    pipelines:
      - name: p
        match: {window_name: "^by-hand-only$"}
        stages:
          - name: first
            actions_on_start: [{send_keys: "npm run first"}]
"""
NAME = "work:job.0"


@pytest.fixture
def nas() -> Iterator[TmuxServer]:
    with running_server() as server:
        server.new_session("work", "job")
        yield server


@pytest.fixture
def prod(sandbox: Any, nas: TmuxServer) -> str:
    """The pane of that name on prod; both servers are in the hosts file."""
    hosts = [
        {"name": name, "tmux": {"socket_path": server.address.socket_path}}
        for name, server in (("prod", sandbox.server), ("nas", nas))
    ]
    sandbox.write("hosts.yaml", json.dumps({"hosts": hosts}))  # JSON is YAML too
    return str(sandbox.pane())


def run(sandbox: Any, *args: str) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = sandbox.run(*args, "--hosts", sandbox.hosts)
    return done


def start(sandbox: Any, policy: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(sandbox, "runs", "start", "p", *args, "--policy", str(policy))


def is_refused(done: subprocess.CompletedProcess[str], name: str = NAME) -> bool:
    what, why, fix = [line for line in done.stderr.splitlines() if "warning:" not in line]
    assert what == f"tmux-sentry: which {name} is meant is not sure"
    assert why.startswith("prod has one, and not every host is reached: nas: ")
    assert "start one with `tmux new`" in why, "what to do about nas"
    assert fix == "name the host: --host prod"
    return done.returncode == 3


@pytest.mark.parametrize("running", [True, False], ids=["through run", "alone"])
def test_a_send_meant_for_a_host_that_is_down_is_typed_nowhere(
    sandbox: Any, nas: TmuxServer, prod: str, running: bool
) -> None:
    if running:
        process = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", sandbox.write("p.yaml", POLICY))
        process.wait_line("prod: watching")
        process.wait_line("nas: watching")
    nas.kill()
    if running:
        process.wait_line("nas: no tmux server runs")
    for name in (NAME, prod):
        assert is_refused(run(sandbox, "send", name, "npm run it"), name)
    done = run(sandbox, "send", NAME, "npm run it", "--host", "prod")
    assert (done.returncode, done.stdout) == (0, f"sent to prod {NAME} {prod}\n")
    sandbox.wait_typed("npm run it")
    assert sandbox.typed() == ["npm run it"]
    assert run(sandbox, "send", NAME, "npm run it", "--host", "nas").returncode == 4
    assert run(sandbox, "send", "no:such.0", "npm run it").returncode == 4  # it may be on nas


@pytest.mark.parametrize("running", [True, False], ids=["through run", "alone"])
def test_a_run_meant_for_a_host_that_is_down_starts_nowhere(
    sandbox: Any, nas: TmuxServer, prod: str, running: bool
) -> None:
    policy = sandbox.write("p.yaml", POLICY)
    nas.kill()
    if running:
        process = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy)
        process.wait_line("prod: watching")
        process.wait_line("nas: no tmux server runs")
    assert is_refused(start(sandbox, policy, NAME))
    assert sandbox.rows("SELECT run_id FROM stage_history") == []
    assert "of p on prod: open" in start(sandbox, policy, NAME, "--host", "prod").stdout


@pytest.mark.parametrize("args", [("send", NAME, "x"), ("pause", NAME), ("unpause", NAME)], ids=" ".join)
def test_a_host_that_is_not_in_the_file_is_named_as_that(sandbox: Any, prod: str, args: tuple[str, ...]) -> None:
    done = run(sandbox, *args, "--host", "nowhere")
    assert done.returncode == 2
    said = ["tmux-sentry: no host nowhere", "known: prod, nas", "name the file: --hosts"]
    assert done.stderr.splitlines()[-3:] == said


def test_a_pause_holds_what_is_reached_and_says_where_nothing_is(sandbox: Any, nas: TmuxServer, prod: str) -> None:
    nas.kill()
    done = run(sandbox, "pause", NAME)
    assert (done.returncode, done.stdout) == (4, f"prod {NAME} {prod}: paused\n")
    assert "nothing is paused there" in done.stderr
    assert is_refused(run(sandbox, "unpause", NAME))
    assert sandbox.server.show(prod, "#{@sentry_hold}") == "1"
    done = run(sandbox, "unpause", NAME, "--host", "prod")
    assert (done.returncode, done.stdout) == (0, f"prod {NAME} {prod}: unpaused\n")
    assert sandbox.server.show(prod, "#{@sentry_hold}") == ""


def test_with_both_up_a_name_that_both_have_is_not_enough(sandbox: Any, nas: TmuxServer, prod: str) -> None:
    for args in (("send", NAME, "npm run it"), ("unpause", NAME)):
        done = run(sandbox, *args)
        assert done.returncode == 2
        assert f"{NAME} could be any of " in done.stderr
    nas.run("rename-window", "-t", "work", "other")
    assert run(sandbox, "send", NAME, "npm run it").stdout == f"sent to prod {NAME} {prod}\n"
