"""The world around the program: a private tmux server with panes whose programs note what reaches them, and a home."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import child
from tally import Pane, Tally

from tmux_sentry.testing.tmux_server import TmuxServer

#: What a shell's pane knows: `a` notes a command and reports its stage, `b` only notes; anything else is noted as odd.
RC = """\
PS1='$ '
HISTFILE=
a() {{ echo "a $*" >> '{log}'; echo '@@SENTRY {{"type":"STATUS","stage":"'"$1"'","ok":true}}'; }}
b() {{ echo "b $*" >> '{log}'; }}
command_not_found_handle() {{ echo "odd $*" >> '{log}'; }}
"""


def shell_stages(count: int) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Stages that type into a shell, every fifth of them twice, and the lines that the shell notes."""
    stages: list[dict[str, Any]] = []
    lines: list[str] = []
    for number in range(count):
        name = f"s{number:03}"
        texts = [f"b {name}", f"a {name}"] if number % 5 == 4 else [f"a {name}"]
        stages.append(_stage(name, stages, [{"send_keys": text} for text in texts]))
        lines += texts
    return stages, tuple(lines)


def agent_stages(count: int) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Stages that give a line to a program with an input line: text, a look, Enter."""
    stages: list[dict[str, Any]] = []
    for number in range(count):
        name = f"g{number:03}"
        send = {"send_keys": {"text": f"please do {name}", "wait_idle": False}}
        stages.append(_stage(name, stages, [send]))
    return stages, tuple(f"please do g{number:03}" for number in range(count))


def _stage(name: str, before: Sequence[dict[str, Any]], actions: list[Any]) -> dict[str, Any]:
    made = {"name": name, "timeout": "5h", "actions_on_start": actions}
    return made | ({"triggers": [{"after_stage_success": before[-1]["name"]}]} if before else {})


class World:
    """Lives in the directory of its tmux server, whose path is short. Close it, whatever happens."""

    def __init__(self, *, shell: int = 30, agent: int = 5, panes: int = 3) -> None:
        """Each round has `panes` shells with `shell` stages each, and a program with `agent` stages."""
        self.server = TmuxServer()
        self.path = self.server.directory
        self.home = self.path / "home"
        self.out = self.path / "out.log"
        self._round = 0
        self._lives: list[int] = []
        self._panes = panes if shell else 0
        self._agents = 1 if agent else 0
        (stages, self._lines), (asks, self._asks) = shell_stages(shell), agent_stages(agent)
        pipelines = [
            {"name": name, "match": {"window_name": f"^{name}$"}, "panes": "each", "stages": made}
            for name, made in (("shell", stages), ("agent", asks))
            if made
        ]
        self._stages = self._panes * shell + self._agents * agent  # in a round
        self.policy = self.write("policy.yaml", json.dumps({"pipelines": pipelines}))
        address = json.dumps({"socket_path": self.server.address.socket_path})
        self.hosts = self.write("hosts.yaml", f"hosts:\n  - name: here\n    transport: local\n    tmux: {address}\n")
        self.panes: list[Pane] = []
        self.server.new_session("base", "base", "cat")  # keeps the server between rounds

    def write(self, name: str, text: str) -> Path:
        """A file that is ours alone."""
        path = self.path / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def close(self) -> None:
        """End what still runs of the program, then the tmux server, and remove everything."""
        for pid in self._lives:
            with suppress(ChildProcessError):  # it was waited for
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
        self.server.kill()

    # ------------------------------------------------------------------------- rounds

    def open_round(self) -> None:
        """New panes for which nothing has run yet."""
        self._round += 1
        for number in range(self._panes):
            log = self.path / f"shell-{self._round}-{number}.log"
            rc = self.write(f"rc-{self._round}-{number}", RC.format(log=log))
            self._open("shell", f"exec bash --noprofile --rcfile '{rc}'", "$", log, self._lines)
        for number in range(self._agents):
            log = self.path / f"agent-{self._round}-{number}.log"
            agent = Path(__file__).with_name("agent.py")
            self._open("agent", f"exec '{sys.executable}' '{agent}' '{log}'", ">", log, self._asks)

    def _open(self, kind: str, command: str, prompt: str, log: Path, expected: tuple[str, ...]) -> None:
        pane = self.server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "base:", "-n", kind, command)
        self.server.wait_prompt(pane, prompt)
        self.panes.append(Pane(id=pane, kind=kind, log=log, expected=expected))

    def respawn(self, pane: Pane) -> None:
        """Another shell in the pane, which notes into the same file."""
        rc = self.write("rc-respawn", RC.format(log=pane.log))
        self.server.run("respawn-pane", "-k", "-t", pane.id, f"exec bash --noprofile --rcfile '{rc}'")
        self.server.wait_prompt(pane.id)

    def close_round(self) -> Tally:
        """Judge the round's panes, and close them."""
        tally = Tally()
        for pane in self.panes:
            tally.judge(pane)
            self.server.run("kill-pane", "-t", pane.id)
        self.panes.clear()
        return tally

    def judge_messages(self) -> Tally:
        """Each stage's success belongs into the outbox, in the step that found it."""
        rows = self.rows("SELECT status, COUNT(*) FROM outbox WHERE message LIKE '%stage.succeeded%' GROUP BY status")
        have = sum(count for _, count in rows)
        ended = self.rows("SELECT COUNT(*) FROM stage_history WHERE status = 'succeeded'")[0][0]
        notes = [] if have == ended else [f"{ended} stages have succeeded, the outbox has {have} messages of it"]
        return Tally(messages=have, missing=abs(ended - have), notes=notes)

    # -------------------------------------------------------------------- the program

    def env(self, **more: str) -> dict[str, str]:
        """Nothing of the developer's own settings takes part."""
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ}
        return {**keep, "HOME": str(self.path), "TMUX_SENTRY_HOME": str(self.home), "LANG": "C.UTF-8", **more}

    def live(self, *more: str, fresh: bool = False, **env: str) -> int:
        """Start `tmux-sentry run --once` in a process group of its own; its process id."""
        argv = ["run", "--hosts", str(self.hosts), "--policy", str(self.policy), "--once", *more]
        self._lives.append(child.fork(argv, self.path, self.env(**env), self.out, fresh=fresh))
        return self._lives[-1]

    def wait_alone(self) -> None:
        """Let the tmux clients of the life before leave first, which they do 0.1 s after its end.

        A fork attaches sooner than any program that is started anew, and a tmux server up to 3.6 may end itself (a
        null pointer) when one control client leaves while another attaches.
        """
        if self._lives:
            time.sleep(0.15)

    def order(self, *argv: str) -> int:
        """Run a short command to its end; its exit status."""
        pid = child.fork(argv, self.path, self.env(), self.out, fresh=False)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of the program's database."""
        try:
            return self._rows("ro", query, values)
        except sqlite3.OperationalError:  # killed while it set the journal's index up: a reader may not do that
            return self._rows("rw", query, values)

    def _rows(self, mode: str, query: str, values: Sequence[object]) -> list[Any]:
        with closing(sqlite3.connect(f"{(self.home / 'state.db').as_uri()}?mode={mode}", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def held(self) -> list[tuple[str, str, str, str]]:
        """Run, pane, reason and send of what waits for a person."""
        if not (self.home / "state.db").exists():
            return []
        query = (
            "SELECT id, pane_id, json_extract(state, '$.attempt.held'), json_extract(state, '$.attempt.action_id')"
            " FROM runs"
            " WHERE status = 'open' AND json_extract(state, '$.attempt.held') IS NOT NULL"
        )
        return [tuple(row) for row in self.rows(query)]

    def state(self) -> str:
        """What there is in tmux, for a report."""
        argv = [*self.server.address.argv(), "list-panes", "-a"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        wanted = ", ".join(f"{pane.id} {pane.kind} {len(pane.got())}/{len(pane.expected)}" for pane in self.panes)
        return f"{done.stdout}{done.stderr}wanted: {wanted}"

    def tail(self, lines: int = 12) -> str:
        """The last that the program said."""
        said = self.out.read_text(errors="replace").splitlines() if self.out.exists() else []
        return "\n".join([line for line in said if "warning:" not in line][-lines:])

    def wait(self, until: Callable[[], object], what: str, timeout: float = 20.0) -> None:
        """Poll until it is true."""
        deadline = time.monotonic() + timeout
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come true within {timeout:g} s\n{self.tail()}")
            time.sleep(0.01)
