"""Our plugin for opencode, run by the JavaScript that is here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tmux_sentry.agent_hooks import plugin
from tmux_sentry.agent_hooks.commands import program_command

CALL = """
import { TmuxSentry } from "./tmux-sentry.mjs"
const { event } = await TmuxSentry()
for (const one of JSON.parse(process.argv[2])) await event({ event: one })
"""
EVENTS = [
    {"type": "session.created", "properties": {"info": {"id": "child", "parentID": "main"}}},
    {"type": "session.status", "properties": {"sessionID": "main", "status": {"type": "busy"}}},
    {"type": "session.status", "properties": {"sessionID": "child", "status": {"type": "idle"}}},
    {"type": "permission.asked", "properties": {"sessionID": "child", "permission": "bash"}},
    {"type": "message.updated", "properties": {}},
    {"type": "file.edited"},
    {"type": "session.status", "properties": {"sessionID": "main", "status": {"type": "idle"}}},
]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_it_reports_in_order_and_not_the_end_of_a_helper(tmp_path: Path) -> None:
    log = tmp_path / "log"
    source = plugin.source().replace(json.dumps(program_command("opencode")), json.dumps(f"cat >>'{log}'"))
    (tmp_path / "tmux-sentry.mjs").write_text(source)
    (tmp_path / "call.mjs").write_text(CALL)
    env = {"PATH": "/usr/bin:/bin", "TMUX_PANE": "%1"}
    argv = [str(shutil.which("node")), "call.mjs", json.dumps(EVENTS)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = json.loads("[" + log.read_text().replace("}{", "},{") + "]")
    assert told == [EVENTS[1], EVENTS[3], EVENTS[6]]
