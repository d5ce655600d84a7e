"""What the command line says and returns, before and around any command."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import click
import pytest

from tmux_sentry.cli.main import COMMANDS

HEAVY = ["yaml", "jsonschema", "sqlalchemy", "paramiko", "requests", "rich", "re2"]
MAIN = "import sys; from tmux_sentry.cli.main import main; sys.exit(main())"
# Adds a command that does what the test wants, then runs the real main().
WITH_COMMAND = """
import os, sys, threading
import click
from tmux_sentry import errors
from tmux_sentry.cli import app, output
from tmux_sentry.cli.main import cli, main
from tmux_sentry.security.redact import Redactor

@cli.command("act")
def act():
    {body}

sys.exit(main())
"""


def python(code: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **env}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *args], capture_output=True, text=True, timeout=60, env=whole
    )


def sentry(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return python(MAIN, *args, **env)


def acting(body: str, *options: str) -> subprocess.CompletedProcess[str]:
    return python(WITH_COMMAND.format(body=body), *options, "act")


@pytest.mark.parametrize("args", [["--help"], ["--version"], []])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import json, sys\nfrom tmux_sentry.cli.main import main\nmain(sys.argv[1:])\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)"
    )
    assert json.loads(python(code, *args).stderr.splitlines()[-1]) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_help_is_there(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help, "a command says what it does"


def test_help_lists_every_command_with_a_line() -> None:
    shown = sentry("--help").stdout
    for name, (_, line) in COMMANDS.items():
        assert any(row.split(None, 1) == [name, line] for row in map(str.strip, shown.splitlines())), name


def test_version_is_the_distributions() -> None:
    assert sentry("--version").stdout == "tmux-sentry 0.1.0\n"


@pytest.mark.parametrize(
    ("args", "what", "fix"),
    [
        (["plugns"], "no command 'plugns'; did you mean plugins?", "Try 'tmux-sentry --help'."),
        (["plugins", "--jsn"], "--jsn", "Try 'tmux-sentry plugins --help'."),
        (["completions", "csh"], "'csh' is not one of", "Try 'tmux-sentry completions --help'."),
        (["--log-level", "LOUD", "plugins"], "'LOUD' is not one of", "Try 'tmux-sentry --help'."),
    ],
)
def test_bad_usage_is_two_lines_and_exit_2(args: list[str], what: str, fix: str) -> None:
    done = sentry("--no-plugins", *args)
    first, second = done.stderr.splitlines()
    assert first.startswith("tmux-sentry: ")
    assert what in first
    assert second == fix
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [("SentryError", 1), ("UsageError", 2), ("Refused", 3), ("Locked", 3), ("Unreachable", 4), ("NoServer", 4)],
)
def test_an_error_is_what_why_and_what_to_do(error: str, code: int) -> None:
    done = acting(f"raise errors.{error}('it broke', 'because', 'mend it')")
    assert done.stderr == "tmux-sentry: it broke\nbecause\nmend it\n"
    assert done.returncode == code


def test_a_finding_in_a_file_starts_with_its_place() -> None:
    finding = "errors.Diagnostic(file='p.yaml', line=3, column=5, where='pipelines[0]', what='bad', help='mend it')"
    done = acting(f"raise errors.InvalidConfig([{finding}])")
    assert done.stderr.splitlines() == [
        "p.yaml:3:5: pipelines[0]: bad",
        "  = help: mend it",
        "tmux-sentry: 1 error in the configuration",
    ]
    assert done.returncode == 2


def test_an_unexpected_error_is_one_line_and_how_to_get_the_traceback() -> None:
    done = acting("raise KeyError('x')")
    assert done.stderr.splitlines() == [
        "tmux-sentry: KeyError: 'x'",
        "run with --log-level DEBUG for the traceback: tmux-sentry --log-level DEBUG ...",
    ]
    assert done.returncode == 1


@pytest.mark.parametrize("error", ["KeyError('x')", "errors.Refused('x')"])
def test_a_traceback_appears_at_debug_only(error: str) -> None:
    assert "Traceback" not in acting(f"raise {error}").stderr
    assert "Traceback" in acting(f"raise {error}", "--log-level", "debug").stderr


def test_errors_and_tracebacks_show_no_secret_and_no_control_byte() -> None:
    body = "app.current().redact = Redactor(['hunter2hunter2']); raise ValueError('hunter2hunter2 \\x1b[2J\\x9b')"
    for options in ([], ["--log-level", "DEBUG"]):
        done = acting(body, *options)
        raised = [line for line in done.stderr.splitlines() if "ValueError: " in line]
        assert raised
        assert all("hunter2" not in line and "[redacted]" in line for line in raised)
        assert "\x1b" not in done.stderr
        assert "\x9b" not in done.stderr


def test_ctrl_c_is_130_and_no_traceback() -> None:
    body = "click.echo('ready'); sys.stdout.flush(); threading.Event().wait()"
    path = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_COMMAND.format(body=body), "act"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_a_commands_own_exit_code_is_the_processs() -> None:
    assert acting("click.get_current_context().exit(4)").returncode == 4


@pytest.mark.parametrize("body", ["click.echo('flushed at once')", "print('still buffered at the end')"])
def test_a_reader_that_leaves_is_no_news(body: str, tmp_path: Path) -> None:
    code = WITH_COMMAND.format(body=body)
    script = tmp_path / "act.py"
    script.write_text(dedent(code))
    read_end, write_end = os.pipe()
    os.close(read_end)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(script), "act"], stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60, env=env
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no-files")]
)
def test_completions_prints_the_shells_script(shell: str, mark: str) -> None:
    done = sentry("completions", shell, PATH=os.environ["PATH"])
    assert done.returncode == 0
    assert mark in done.stdout
    assert "_TMUX_SENTRY_COMPLETE" in done.stdout


def test_the_shell_is_offered_commands_without_importing_them() -> None:
    env = {"_TMUX_SENTRY_COMPLETE": "bash_complete", "COMP_WORDS": "tmux-sentry pl", "COMP_CWORD": "1"}
    assert sentry(**env).stdout == "plain,plugins\n"
    code = (
        "import sys\nfrom tmux_sentry.cli.main import main\ntry:\n    main()\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('tmux_sentry.cli.')])"
    )
    loaded = python(code, **{**env, "COMP_WORDS": "tmux-sentry "}).stdout.splitlines()[-1]
    assert "tmux_sentry.cli.plugins" not in loaded
    assert "tmux_sentry.cli.main" in loaded


def test_log_level_comes_from_the_environment_too() -> None:
    assert "Traceback" in python(WITH_COMMAND.format(body="raise KeyError"), "act", LOG_LEVEL="DEBUG").stderr
