"""`tmux-sentry send PANE TEXT`: one guarded, verified send by hand."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.session import Session, begin, change, env_file_option, hosts_option, locked_store, watched_pane
from tmux_sentry.errors import EXIT_OK, EXIT_REFUSED


@click.command("send")
@click.argument("pane")
@click.argument("text")
@click.option("--when", type=click.Choice(["idle"]), help="Wait (up to 5 minutes) until the shell or agent is idle.")
@click.option("--no-enter", is_flag=True, help="Do not press Enter after the text.")
@click.option("--host", help="Where the pane is, if several hosts have one of that name.")
@hosts_option
@env_file_option
def command(
    pane: str,
    text: str,
    when: str | None,
    no_enter: bool,
    host: str | None,
    hosts_file: Path | None,
    env_file: Path | None,
) -> int:
    """Type TEXT into PANE (%3, or session:window.index), then Enter.

    tmux itself compares before it types: the pane is the one that was looked at, nobody is typing in it, no other
    send went first, nothing is paused. Exit status 3 when it was not sent.
    """
    session = begin(env_file)
    wait = 300.0 if when == "idle" else 0.0
    token = secrets.token_hex(8)
    args = {"pane": pane, "host": host, "text": text, "enter": not no_enter, "wait_idle": wait, "token": token}
    try:
        answer = change(session, "send", args, lambda: _offline(session, hosts_file, args), timeout=wait + 330.0)
    except KeyboardInterrupt:
        change(session, "call_off", {"token": token}, lambda: None)
        raise
    if answer["sent"]:
        output.say(f"sent to {answer['pane']}")
        return EXIT_OK
    what = f"not sent to {answer['pane']}"
    output.fail([what, answer["reason"]], what, redact=session.app.redact)
    return EXIT_REFUSED


def _offline(session: Session, hosts_file: Path | None, args: dict[str, Any]) -> dict[str, Any]:
    """No instance runs: watch just long enough, under the lock."""
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.contracts import AgentState
    from tmux_sentry.engine import by_hand
    from tmux_sentry.engine.effects import owner
    from tmux_sentry.engine.events import Keys
    from tmux_sentry.engine.sending import Ports

    clock = SystemClock()
    with (
        locked_store(session, clock) as store,
        watched_pane(session, hosts_file, args["pane"], args["host"]) as (watcher, pane, host),
    ):
        ports = Ports(
            watcher=watcher,
            store=store,
            clock=clock,
            owner=owner(store, pane.identity.host),
            take_over=False,
            announce=lambda job, event, capture: None,
            agent_state=lambda identity: AgentState.UNKNOWN,
            prompt=host.watch.prompt,
        )
        keys = Keys(text=args["text"], enter=args["enter"])
        return by_hand.send(pane, by_hand.job(pane, keys, args["wait_idle"], args["token"]), ports)
