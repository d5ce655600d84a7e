"""What an agent's hook reports, through the whole program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

POLICY = """
    pipelines:
      - name: never
        match: {window_name: "^no-such-window$"}
        stages: [{name: wait, actions_on_start: [{send_keys: "true"}]}]
"""


def test_a_hook_makes_the_state_of_its_pane_known(sandbox: Any) -> None:
    pane = sandbox.pane()
    user = sandbox.path / "user" / ".claude"
    user.mkdir()
    sandbox.ok("hooks", "install", "--agent", "claude")
    settings = json.loads((user / "settings.json").read_text())
    run = sandbox.watch(sandbox.write("never.yaml", POLICY))
    # As in a project whose own variables are not meant for us.
    here = {"TMUX": f"{sandbox.server.address.socket_path},1,0", "TMUX_PANE": pane, "LOG_LEVEL": "verbose"}

    def agent_runs(event: str, **more: object) -> None:
        (group,) = settings["hooks"][event]
        payload = json.dumps({"hook_event_name": event, **more})
        argv = ["sh", "-c", group["hooks"][0]["command"]]
        done = subprocess.run(
            argv, input=payload, env={**os.environ, **here}, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def state_becomes(state: str) -> None:
        sandbox.wait(lambda: [row["state"] for row in sandbox.rows("SELECT state FROM pane_states")] == [state], state)

    agent_runs("PermissionRequest", tool_name="Bash", tool_input={"command": "rm -rf /"})
    state_becomes("waiting")
    agent_runs("Stop")
    state_becomes("idle")
    (row,) = sandbox.rows("SELECT trust, last_signal FROM pane_states")
    assert row["trust"] == "emitted"
    sandbox.wait(lambda: "@sentry_q" not in sandbox.server.run("show-options", "-s"), "an empty queue")
    assert run.end(signal.SIGTERM) == 0
    agent_runs("Stop")
    assert "@sentry" not in sandbox.server.run("show-options", "-s")
