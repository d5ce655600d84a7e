"""`tmux-sentry approvals`: what waits for a person's decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import begin, env_file_option, reading_store
from tmux_sentry.control.client import ask
from tmux_sentry.errors import UsageError

if TYPE_CHECKING:
    from tmux_sentry.state.records import StoredApproval

_COLUMNS = ("id", "pipeline", "stage", "host", "pane", "will type", "expires", "answer in")


@click.group("approvals", invoke_without_command=True)
@env_file_option
@json_option
@click.pass_context
def approvals(context: click.Context, env_file: Path | None, as_json: bool) -> None:
    """List what waits for a person's decision."""
    if context.invoked_subcommand is None:
        _list(env_file, as_json)


@approvals.command("login")
@env_file_option
def login(env_file: Path | None) -> None:
    """Print an address with which you log in to the approval pages, once, within ten minutes."""
    answer = ask(begin(env_file).control, "approval_login", {})
    click.echo(answer["url"])  # not through the redactor: this secret is what was asked for


@approvals.command("revoke")
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="All links, logins and sessions.")
@env_file_option
def revoke(id: str | None, everything: bool, env_file: Path | None) -> None:
    """Let the links of the request ID open nothing any more; the request itself stays open."""
    if (id is None) != everything:
        raise UsageError("name a request, or --all", "", "see: tmux-sentry approvals")
    answer = ask(begin(env_file).control, "approval_revoke", {"id": id})
    output.say(f"revoked: {answer['revoked']}")


def _list(env_file: Path | None, as_json: bool) -> None:
    from tmux_sentry.security.sanitize import visible

    session = begin(env_file)
    with reading_store(session) as store:
        rows = [_row(stored) for stored in store.pending_approvals()] if store else []
    if as_json:
        output.emit_json(rows)
        return
    if not rows:
        output.say("nothing waits for an approval")
        return
    output.table(
        _COLUMNS,
        [
            (r["id"], r["pipeline"], r["stage"], r["host"], r["pane_id"],
             " | ".join(visible(part) for part in (*r["about"][:2], *r["keys"])), r["expires_at"], r["file"])
            for r in rows
        ],
    )  # fmt: skip
    output.say("decide with: tmux-sentry approve ID   or   tmux-sentry reject ID --comment WHY")


def _row(stored: StoredApproval) -> dict[str, Any]:
    from tmux_sentry.state.times import iso

    request = stored.request
    return {
        "id": request.id,
        "pipeline": request.pipeline,
        "stage": request.stage,
        "attempt": request.attempt,
        "run": request.run_id,
        "host": request.pane.host,
        "pane_id": request.pane.pane_id,
        "pane": request.pane_name,
        "about": list(request.about),
        "keys": list(request.keys),
        "digest": request.digest,
        "created_at": iso(request.created_at),
        "expires_at": iso(request.expires_at),
        "file": stored.shown.get("file"),
        "page": stored.shown.get("web"),
        "risk": request.risk,
        "reason": request.reason,
        "approvers": list(request.approvers),
        "required": request.required,
    }
