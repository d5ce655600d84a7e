"""`tmux-sentry run`: the main job, in the foreground."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.assemble import build_runner
from tmux_sentry.cli.options import log_level_option
from tmux_sentry.cli.session import begin, env_file_option, hosts_option, policy_option, read_policy
from tmux_sentry.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNREACHABLE, UsageError

if TYPE_CHECKING:
    from tmux_sentry.engine.runner import Runner


@click.command("run")
@hosts_option
@policy_option
@env_file_option
@log_level_option()
@click.option("--plugins", help="The whole plugin set of this run: NAME,NAME,... (see: tmux-sentry plugins).")
@click.option("--dry-run", is_flag=True, help="Say what would be typed first, and touch nothing.")
@click.option("--once", is_flag=True, help="End with the runs matched at the start; 0 if all succeeded.")
@click.option("--record", is_flag=True, help="Record what the panes print, without secrets: see docs/replay.md.")
@click.option("--take-over", is_flag=True, help="Take panes over from another instance or from a lost database.")
def command(
    hosts_file: Path | None,
    policies: tuple[Path, ...],
    env_file: Path | None,
    log_level: str | None,
    plugins: str | None,
    dry_run: bool,
    once: bool,
    record: bool,
    take_over: bool,
) -> int:
    """Watch the panes and walk them through the policy, in the foreground. Ctrl+C stops it cleanly."""
    names = None if plugins is None else [name.strip() for name in plugins.split(",") if name.strip()]
    session = begin(env_file, names)
    output.log_to_stderr(log_level or session.settings.log_level, session.app)
    for warning in session.settings.warnings:
        output.warn(warning)
    policy = read_policy(session, policies or _default_policy())
    if record and dry_run:
        raise UsageError("--record and --dry-run do not go together", "a dry run writes no file", "leave one out")
    options = {"dry_run": dry_run, "once": once, "record": record, "take_over": take_over}
    with build_runner(session, policy, hosts_file, **options) as runner:
        interrupted = run_until_signal(runner)
        if interrupted is None:
            if not once or dry_run or runner.succeeded:
                return EXIT_OK
            return EXIT_UNREACHABLE if runner.unreachable else EXIT_FAILED
    output.say("stopped; the panes were left as they are. Go on with the same command.")
    return EXIT_INTERRUPTED if interrupted == signal.SIGINT else EXIT_OK


def _default_policy() -> tuple[Path, ...]:
    path = Path("policies/default.yaml")
    if not path.exists():
        fix = "add --policy FILE, or write one: tmux-sentry init"
        raise UsageError("no policy is named", f"and there is no {path} here", fix)
    return (path,)


def run_until_signal(runner: Runner) -> int | None:
    """The signal that ended it; None when it ended by itself."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        runner.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        runner.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return received[0] if received else None
