"""A program `docker` for tests, scripted by files beside it: `buildx history`, `system dial-stdio` and `version`."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

BEFORE, DURING, LATER = "2023-11-14T22:13:10Z", "2023-11-14T22:13:25.123456789Z", "2023-11-14T22:13:40Z"

_SCRIPT = """#!/bin/sh
folder='{folder}'
printf '%s\\n' "$*" >> "$folder/argv"
printf '%s\\n' "${{DOCKER_HOST-unset}} ${{DOCKER_TLS_VERIFY-unset}}" >> "$folder/environment"
case "$*" in
*"history ls"*) what=ls ;;
*"history logs"*) what=logs ;;
"system dial-stdio") exec '{python}' '{relay}' "$folder/engine" ;;
*) what=version ;;
esac
cat "$folder/$what.out" 2>/dev/null
cat "$folder/$what.err" >&2 2>/dev/null
exit "$(cat "$folder/$what.status" 2>/dev/null || echo 0)"
"""

_RELAY = """
import os, socket, sys, threading
engine = socket.socket(socket.AF_UNIX)
try:
    engine.connect(os.readlink(sys.argv[1]))
except OSError as error:
    sys.exit(f"cannot connect to the Docker daemon: {error}")
def up():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := engine.recv(65536):
    os.write(1, data)
"""


class DockerProgram:
    """The program in `folder`/bin."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir(parents=True)
        relay = folder / "relay.py"
        relay.write_text(_RELAY)
        program = self.bin / "docker"
        program.write_text(_SCRIPT.format(folder=folder, python=sys.executable, relay=relay))
        program.chmod(0o755)

    def engine(self, path: Path) -> None:
        """Where `system dial-stdio` leads."""
        (self.folder / "engine").symlink_to(path)

    def says(self, what: str, out: str = "", err: str = "", status: int = 0) -> None:
        """What `ls`, `logs` or `version` prints from now on."""
        (self.folder / f"{what}.out").write_text(out)
        (self.folder / f"{what}.err").write_text(err)
        (self.folder / f"{what}.status").write_text(str(status))

    def lists(self, *builds: dict[str, Any]) -> None:
        """What `history ls` prints: one object a line."""
        self.says("ls", "".join(json.dumps(build) + "\n" for build in builds))

    def argv(self) -> list[str]:
        """With what it was run."""
        return (self.folder / "argv").read_text().splitlines()


def build(ref: str = "one", status: str = "Running", created: str = DURING, **more: Any) -> dict[str, Any]:
    """A row of `history ls --format json`, as buildx writes it."""
    row = {"ref": f"default/default/{ref}", "name": "webapp", "status": status, "created_at": created}
    steps = {"total_steps": 8, "completed_steps": 2, "cached_steps": 1}
    ended = {} if status == "Running" else {"completed_at": LATER}
    return {**row, **steps, **ended, **more}


def lines(*said: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in said)


def step(digest: str, started: str | None = DURING, completed: str | None = DURING, **more: Any) -> dict[str, Any]:
    times = {key: at for key, at in (("started", started), ("completed", completed)) if at}
    return {"digest": digest, "name": f"[{digest}] RUN make", **times, **more}


def log(digest: str, text: str) -> dict[str, Any]:
    return {"vertex": digest, "stream": 2, "data": base64.b64encode(text.encode()).decode(), "timestamp": DURING}
