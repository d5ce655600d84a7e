"""`tmux-sentry demo`: the main job on a private tmux server, with nothing configured and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, TmuxMissing, UsageError

if TYPE_CHECKING:
    from tmux_sentry.cli.session import Session

_COLUMNS = ("stage", "status", "duration", "approved_by", "reason")
_WINDOW = "agent:codex-ci"  # what the demo's policy matches


@click.command("demo")
@click.option("--yes", is_flag=True, help="Approve without asking; that is also what happens without a terminal.")
def command(yes: bool) -> int:
    """See it work: a private tmux server, a scripted agent, four stages, one approval. Leaves nothing behind."""
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        output.say("no terminal to ask on: the demo approves by itself, as with --yes")
        yes = True
    output.log_to_stderr("INFO", click.get_current_context().obj)
    with (
        tempfile.TemporaryDirectory(prefix="sentry-demo-") as name,
        as_file(files("tmux_sentry") / "examples") as examples,
    ):
        home = Path(name)
        with _tmux_server(home, examples) as server:
            output.say(f"a private tmux server runs a scripted agent; watch it in another terminal:\n  {server.attach}")
            code, rows = _watch(home, examples, server, yes)
    output.table(_COLUMNS, [[row[column] for column in _COLUMNS] for row in rows])
    output.say(
        {
            EXIT_OK: "done: every command was typed once, the build only after the approval; nothing was left behind",
            EXIT_INTERRUPTED: "stopped; nothing was left behind",
        }.get(code, "the run did not succeed; nothing was left behind")
    )
    return code


# ------------------------------------------------------------------------------ the pane


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    argv: tuple[str, ...]
    socket: Path

    @property
    def attach(self) -> str:
        return " ".join([*self.argv, "attach", "-r"])


@contextmanager
def _tmux_server(home: Path, examples: Path) -> Iterator[_Server]:
    """A tmux server on a socket in `home`, with one pane in which the scripted agent is on the PATH."""
    if shutil.which("tmux") is None:
        raise TmuxMissing("there is no tmux program", "", "install tmux 3.2 or later")
    programs = home / "bin"
    shutil.copytree(examples / "demo", programs)
    for program in programs.iterdir():
        program.chmod(0o755)  # a wheel does not keep the mode
    server = _Server(argv=("tmux", "-S", str(home / "tmux")), socket=home / "tmux")
    # Nothing of the user's own shell or tmux set-up takes part.
    env = {"PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}", "PS1": "$ ", "HOME": str(home), "TERM": "screen"}
    env["HISTFILE"] = ""  # bash would write one while the directory is being removed
    shell = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), "bash", "--norc", "--noprofile"]
    size = ("-x", "100", "-y", "30")
    outer = {key: value for key, value in os.environ.items() if key not in ("TMUX", "TMUX_PANE")}

    def tmux(*args: str) -> str:
        argv = [*server.argv, "-u", "-f", "/dev/null", *args]
        return subprocess.run(argv, env=outer, check=True, capture_output=True, text=True).stdout

    pid = int(tmux("new-session", "-d", "-P", "-F", "#{pid}", "-s", "demo", "-n", _WINDOW, *size, *shell))
    try:
        yield server
    finally:
        tmux("kill-server")
        _wait_gone(pid)


def _wait_gone(pid: int, seconds: float = 5.0) -> None:
    """kill-server returns before the server is gone, and the server still owns its socket."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


# ----------------------------------------------------------------------------- the watch


def _watch(home: Path, examples: Path, server: _Server, yes: bool) -> tuple[int, list[dict[str, Any]]]:
    """Run the real thing on the pane; the exit code, and the rows of its history, first stage first."""
    from tmux_sentry.cli.assemble import build_runner
    from tmux_sentry.cli.run import run_until_signal
    from tmux_sentry.cli.session import read_policy

    hosts = home / "hosts.yaml"
    hosts.write_text(f"hosts:\n  - name: demo\n    transport: local\n    tmux: {{socket_path: {server.socket}}}\n")
    session = _session(home, yes)
    policy = read_policy(session, [examples / "policies" / "webapp-deploy.yaml"], warn=False)
    with build_runner(session, policy, hosts, once=True) as runner:
        interrupted = run_until_signal(runner)
        rows = list(reversed(runner.store.history(limit=20)))
        if interrupted is not None:
            return EXIT_INTERRUPTED, rows
        return (EXIT_OK if runner.succeeded else EXIT_FAILED), rows


def _session(home: Path, yes: bool) -> Session:
    """The installed parsers, with stand-ins for the external check and for the person."""
    from tmux_sentry.cli.app import current
    from tmux_sentry.cli.session import Session
    from tmux_sentry.config.settings import load_settings
    from tmux_sentry.contracts import ApprovalPlugin, CheckerPlugin
    from tmux_sentry.demo import StandInCheck, TerminalApprovals
    from tmux_sentry.registry import Registry

    app = current()
    parsers = list(app.registry().parsers.values())
    if not parsers:
        raise UsageError("no parser plugin is installed", "", "pip install tmux-sentry")
    registry = Registry.of(
        *parsers,
        CheckerPlugin(name="github_action", config_schema=StandInCheck.SCHEMA, factory=StandInCheck),
        ApprovalPlugin(name="terminal", factory=lambda context: TerminalApprovals(output.say, yes=yes)),
    )
    settings = load_settings({"TMUX_SENTRY_HOME": str(home / "home"), "NOTIFICATION_CHANNELS": ""}, None, ())
    return Session(app=app, registry=registry, settings=settings)
