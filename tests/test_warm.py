"""A process from warm.py is what a fresh interpreter would be, and nothing of one gets into another."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

#: Prints what a program sees of how it was started.
SEES = """
    import json, os, sys
    import click
    from tmux_sentry import hookimpl

    def is_open(number):
        try:
            os.fstat(number)
        except OSError:
            return False
        return True

    @hookimpl
    def tmux_sentry_commands(cli):
        @cli.command("sees")
        @click.argument("end", default="")
        def sees(end):
            seen = {
                "argv": sys.argv[1:], "name": sys.modules["__main__"].__name__, "cwd": os.getcwd(),
                "first": sys.path[:2], "env": dict(os.environ), "warn": sys.warnoptions,
                "stdin": sys.stdin.read(), "encoding": [sys.stdout.encoding, sys.stdout.errors],
                "left": sys.argv[0],
                "open": [number for number in range(64) if is_open(number)],
                "was": sorted(name for name in vars(click) if name == "was_here"),
            }
            click.was_here = True
            print(json.dumps(seen))
            if end:
                os.kill(os.getpid(), int(end))
"""


@pytest.fixture
def sees(sandbox: Any) -> str:
    return str(sandbox.plugin("other_sees", SEES))


def test_a_fork_sees_what_a_fresh_interpreter_sees(sandbox: Any, sees: str) -> None:
    env = sandbox.env(PYTHONPATH=sees, SMTP_USER="me")
    assert sandbox.warm.fits(env)
    fork = sandbox.warm.run(["sees"], sandbox.work, env, 30.0)
    fresh = sandbox.execute([*sandbox.command, "sees"], PYTHONPATH=sees, SMTP_USER="me")
    assert (fork.returncode, fork.stderr) == (fresh.returncode, fresh.stderr) == (0, "")
    assert json.loads(fork.stdout) == json.loads(fresh.stdout)


def test_nothing_of_one_gets_into_another(sandbox: Any, sees: str) -> None:
    first = json.loads(sandbox.ok("sees", PYTHONPATH=sees, SMTP_USER="me"))
    again = json.loads(sandbox.ok("sees", PYTHONPATH=sees))
    assert (first["was"], again["was"]) == ([], [])
    assert "SMTP_USER" not in again["env"]
    assert sandbox.run("sees").returncode == 2  # the plugin is not on its path
    wrong = sandbox.run("approvals", TMUX_SENTRY_FAILPOINT="nowhere")
    assert "no failpoint 'nowhere'" in wrong.stderr
    assert sandbox.run("approvals").returncode == 0


def test_bytes_go_in_and_out_and_the_end_is_told(sandbox: Any, sees: str) -> None:
    done = sandbox.run_bytes("sees", given="ä\r\n".encode(), PYTHONPATH=sees)
    assert json.loads(done.stdout)["stdin"] == "ä\r\n"
    assert sandbox.run("sees", str(int(signal.SIGKILL)), PYTHONPATH=sees).returncode == -signal.SIGKILL
    assert sandbox.run("no-such-command").returncode == 2


def test_what_does_not_end_in_time_is_killed(sandbox: Any) -> None:
    sandbox.pane()
    policy = sandbox.write("none.yaml", "pipelines: [{name: a, match: {window_name: x}, stages: [{name: b}]}]\n")
    with pytest.raises(subprocess.TimeoutExpired):
        sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, timeout=0.2)
    assert sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--dry-run", "--once").returncode == 0


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "COVERAGE_PROCESS_START", "LC_ALL", "LD_PRELOAD"])
def test_what_an_interpreter_reads_at_its_start_needs_a_fresh_one(sandbox: Any, name: str) -> None:
    assert not sandbox.warm.fits(sandbox.env(**{name: "1"}))
    assert not sandbox.warm.fits({})


def test_what_python_runs_at_its_start_needs_a_fresh_one(sandbox: Any) -> None:
    sandbox.write("sitecustomize.py", "import sys; sys.exit('customized')")
    assert not sandbox.warm.fits(sandbox.env(PYTHONPATH=str(sandbox.work)))
    assert "customized" in sandbox.run("plugins", PYTHONPATH=str(sandbox.work)).stderr
