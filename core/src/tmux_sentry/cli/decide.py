"""`tmux-sentry approve ID` and `tmux-sentry reject ID`: decide a request at the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.offline import offline_desk
from tmux_sentry.cli.session import begin, change, env_file_option, person
from tmux_sentry.errors import EXIT_FAILED, EXIT_OK


@click.command("approve")
@click.argument("id")
@click.option("--comment", default="", help="Kept with the decision; up to 1000 characters.")
@env_file_option
def approve(id: str, comment: str, env_file: Path | None) -> int:
    """Approve the request ID (a unique start of it is enough)."""
    return _decide(id, True, comment, env_file)


@click.command("reject")
@click.argument("id")
@click.option("--comment", default="", help="Why; kept with the decision; up to 1000 characters.")
@env_file_option
def reject(id: str, comment: str, env_file: Path | None) -> int:
    """Reject the request ID (a unique start of it is enough)."""
    return _decide(id, False, comment, env_file)


def _decide(id: str, approved: bool, comment: str, env_file: Path | None) -> int:
    session = begin(env_file)
    args = {"id": id, "approved": approved, "comment": comment}

    def offline() -> object:
        with offline_desk(session) as desk:
            return desk.handle("decide", args, person())

    answer = change(session, "decide", args, offline)
    output.say(f"{answer['id']}: {answer['outcome']}")
    return EXIT_OK if answer["counted"] else EXIT_FAILED
