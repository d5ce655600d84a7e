"""`tmux-sentry status`: which hosts can be reached, and what their panes are doing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.everywhere import everywhere
from tmux_sentry.cli.options import json_option
from tmux_sentry.cli.session import Session, begin, env_file_option, hosts_option, inventory, read_hosts, reading_store
from tmux_sentry.errors import EXIT_OK, EXIT_UNREACHABLE, SentryError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.state.records import RunRow
    from tmux_sentry.tmux.inventory import Inventory
    from tmux_sentry.tmux.model import PaneInfo

#: Seconds after which the hosts that have not answered yet are named.
_PATIENCE = 1.0
_DAY = 86400
#: Open runs that are looked through; there is one a pane at the most.
_HELD_AT_MOST = 10_000
_HOST_COLUMNS = ("name", "reachable", "tmux_version", "sessions", "panes", "error")
_HELD_COLUMNS = ("held_run", "pipeline", "stage", "host", "pane_id", "reason")
_PANE_COLUMNS = ("host", "pane_id", "session_name", "window_name", "agent", "state", "pipeline", "stage")


@click.command("status")
@hosts_option
@env_file_option
@json_option
def command(hosts_file: Path | None, env_file: Path | None, as_json: bool) -> int:
    """Show which hosts and panes can be reached. Exit status 4 when some host cannot."""
    from tmux_sentry.state.observe import sentence
    from tmux_sentry.state.times import iso

    session = begin(env_file)
    configured = read_hosts(session, hosts_file)
    seen = _look(session, configured)
    hosts = [row for row, _ in seen]
    with reading_store(session) as store:
        states = store.pane_states() if store else []
        runs = store.runs(limit=_HELD_AT_MOST, open_only=True) if store else []
        observing = store.observing if store else None
        unwell = store.unwell_channels() if store else []
    panes = _pane_rows([pane for _, found in seen for pane in found], states, runs, time.time())
    held = _held_rows(runs)
    if as_json:
        mute = [{"name": one.name, "state": one.state, "why": one.why, "since": iso(one.since)} for one in unwell]
        shown = None if observing is None else {"reason": observing.reason, "since": iso(observing.since)}
        output.emit_json({"hosts": hosts, "panes": panes, "held": held, "observe_only": shown, "channels": mute})
    else:
        if observing is not None:
            output.say(sentence(observing))
        output.table(_HOST_COLUMNS, [[_cell(host[column]) for column in _HOST_COLUMNS] for host in hosts])
        if panes:
            columns = [*_PANE_COLUMNS, *(["progress"] if any(pane["progress"] for pane in panes) else [])]
            rows = [{**pane, "state": _state(pane)} for pane in panes]
            output.table(columns, [[_cell(row[column]) for column in columns] for row in rows])
        if held:
            output.table(_HELD_COLUMNS, [[run[column] for column in _HELD_COLUMNS] for run in held])
            output.say("held runs wait for you: tmux-sentry runs resume RUN --send|--skip|--abort")
        for one in unwell:
            output.say(f"channel {one.name} is {one.state}: {one.why}")
    return EXIT_OK if all(host["reachable"] for host in hosts) else EXIT_UNREACHABLE


def _look(session: Session, hosts: Sequence[Host]) -> list[tuple[dict[str, Any], Sequence[PaneInfo]]]:
    """A row and the panes of each host, in the order of the file; a slow host is named while it is waited for."""

    def waiting(slow: Sequence[Host]) -> None:
        output.progress(f"still asking {', '.join(host.name for host in slow)} ...")

    answers = everywhere(hosts, lambda host: inventory(session, hosts, host), patience=_PATIENCE, waiting=waiting)
    seen = {host.name: _host_row(host, answer) for host, answer in answers}
    output.progress("")
    return [seen[host.name] for host in hosts]


def _host_row(host: Host, found: Inventory | SentryError) -> tuple[dict[str, Any], Sequence[PaneInfo]]:
    row = {"name": host.name, "reachable": False, "tmux_version": None, "sessions": 0, "panes": 0, "error": None}
    row["tags"] = list(host.tags)
    if isinstance(found, SentryError):
        return {**row, "error": "; ".join(found.lines())}, ()
    sessions = {pane.session_id for pane in found.panes}
    numbers = {"tmux_version": found.version, "sessions": len(sessions), "panes": len(found.panes)}
    return {**row, "reachable": True, **numbers}, found.panes


def _pane_rows(
    panes: Sequence[PaneInfo], states: Sequence[dict[str, Any]], runs: Sequence[RunRow], now_at: float
) -> list[dict[str, Any]]:
    """What tmux says now, with what the last `run` knew beside it."""
    from tmux_sentry.engine.panes import KnownPane, Panes
    from tmux_sentry.engine.table import shown_state
    from tmux_sentry.state.times import epoch

    limited = {(run.host, run.pane_id): run.limited_until for run in runs if run.limited}
    known = {(row["host"], row["pane_id"]): row for row in states}
    checked = {(run.host, run.pane_id): run for run in runs if run.check is not None}
    rows = []
    for info in panes:
        now: KnownPane = Panes().see(info)
        row = known.get((info.identity.host, info.identity.pane_id), {})
        check = checked.get((info.identity.host, info.identity.pane_id))
        until = limited.get((info.identity.host, info.identity.pane_id))
        rows.append(
            {
                "host": info.identity.host,
                "pane_id": info.identity.pane_id,
                "session_name": info.session_name,
                "window_name": info.window_name,
                "window_index": info.window_index,
                "pane_index": info.pane_index,
                "command": info.command,
                "agent": now.agent or None,
                "state": row.get("state") or shown_state(now).value,
                "pipeline": row.get("pipeline"),
                "stage": row.get("stage"),
                "hold": info.hold,
                "check": check.check if check else None,
                "percent": check.percent if check else None,
                "progress": _progress(check) if check else None,
                "limited_until": until,
                "limited_for": max(round(epoch(until) - now_at), 0) if until else None,
            }
        )
    return rows


def _held_rows(runs: Sequence[RunRow]) -> list[dict[str, Any]]:
    """Those of the open Runs that wait for a person, oldest first, and why."""
    return [
        {
            "held_run": run.id,
            "pipeline": run.pipeline,
            "stage": run.stage,
            "host": run.host,
            "pane_id": run.pane_id,
            "reason": run.held,
        }
        for run in reversed(runs)
        if run.held
    ]


def _progress(run: RunRow) -> str:
    """How far the external check of a Run is: `43% build: step 3 of 7`."""
    percent = "" if run.percent is None else f"{run.percent:.0f}%"
    status = "" if run.check in (None, "pending") else run.check.replace("_", " ")
    return " ".join(part for part in (status, percent, run.check_detail) if part) or "pending"


def _state(pane: dict[str, Any]) -> str:
    """The agent's state; at a usage limit also until when, on this machine's clock."""
    from datetime import datetime

    from tmux_sentry.engine.limited import ahead
    from tmux_sentry.state.times import epoch

    until = pane["limited_until"]
    if until is None:
        return str(pane["state"])
    away = pane["limited_for"]
    when = datetime.fromtimestamp(epoch(until)).strftime("%H:%M" if away < _DAY else "%Y-%m-%d %H:%M")
    return f"limited until {when} ({ahead(away)})"


def _cell(value: Any) -> Any:
    return {True: "yes", False: "no", None: ""}.get(value, value) if isinstance(value, bool) or value is None else value
