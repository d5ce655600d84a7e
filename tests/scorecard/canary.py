"""Start the agents that are installed here, look at their first screen, and report drift: `make canary`.

Nothing is typed and no model is asked: each agent starts in an empty folder and a tmux server of its own, and
is ended when its screen rests. Drift is an agent that is newer than its rules, or a first screen that no rule
knows (a login, where the agent has none). Ends with 1 where there is drift.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from tmux_sentry import PaneFacts, PaneIdentity, Parser, PluginContext, Screen, TextSource
from tmux_sentry.engine.explaining import explain
from tmux_sentry.registry import load_registry
from tmux_sentry.testing.tmux_server import TmuxServer, running_server
from tmux_sentry_parser_agents.rules import GENERIC, AgentRules, load, parse_version

#: Seconds for a first screen, and for which it has to stay as it is.
PATIENCE, REST = 40.0, 3.0
PANE = PaneIdentity(host="h", server_pid=1, server_start=1, pane_id="%0", pane_pid=1)


def version_of(program: str) -> str:
    """What `--version` says, "" for nothing."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"[0-9]+(?:\.[0-9]+)+", done.stdout + done.stderr)
    return found[0] if found else ""


def first_screen(server: TmuxServer, program: str, folder: str) -> tuple[tuple[str, ...], str, str]:
    """The rows, the title and the foreground program, once nothing has changed for a while."""
    pane = server.new_session(program, command=f"cd '{folder}' && exec '{program}'")
    before, since, end = "", time.monotonic(), time.monotonic() + PATIENCE
    while time.monotonic() < end and (not before or time.monotonic() - since < REST):
        time.sleep(0.2)
        try:
            seen = server.screen(pane)
        except subprocess.CalledProcessError:
            return (), "", ""  # it ended at once, and the server with it
        if seen != before:
            before, since = seen, time.monotonic()
    title, command = server.show(pane, "#{pane_title}"), server.show(pane, "#{pane_current_command}")
    server.run("kill-session", "-t", program)
    return tuple(before.split("\n")), title, command


def drift(agent: str, rules: AgentRules, parsers: Mapping[str, Parser]) -> tuple[str, bool]:
    """A line about one agent, and whether something about it has changed."""
    version = version_of(agent)
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        rows, title, command = first_screen(server, agent, folder)
    facts = PaneFacts(identity=PANE, agent=agent, title=title, command=command, source=TextSource.CAPTURE)
    said = explain(parsers, [Screen(pane=PANE, at=0.0, lines=rows, rows=rows, cursor=(0, 0))], facts).conclusion
    checked = ".".join(map(str, rules.checked))
    newer = parse_version(version)[: len(rules.checked)] > rules.checked
    unread = said.state.value == "unknown"
    what = [f"newer than its rules ({checked})"] * newer + ["its first screen is not known"] * unread
    state = f"{said.state.value} by {said.winner}" if said.winner else said.state.value
    return f"{agent:10} {version or '?':12} {state:40} {'; '.join(what) or 'as expected'}", newer or unread


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the agents that the command line names, or at all that are installed."""
    parser = argparse.ArgumentParser(description="compare the installed agents with what the rules expect")
    parser.add_argument("agents", nargs="*", metavar="AGENT")
    rules = {agent: one for agent, one in load(None).items() if agent != GENERIC}
    wanted = parser.parse_args(arguments).agents or [agent for agent in rules if shutil.which(agent)]
    if unknown := set(wanted) - set(rules):
        parser.error(f"no rules for {', '.join(sorted(unknown))}; there are some for {', '.join(rules)}")
    if not wanted:
        print(f"none of these is installed here: {', '.join(rules)}")
        return 0
    parsers = {name: record.factory(PluginContext()) for name, record in load_registry().parsers.items()}
    changed = False
    for agent in wanted:
        line, differs = drift(agent, rules[agent], parsers)
        print(line, flush=True)
        changed = changed or differs
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
