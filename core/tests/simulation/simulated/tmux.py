"""A tmux server as far as the guard, the fence and a capture see it. Each line is carried out without a break."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulated.formats import commands, expand, true
from simulated.ledger import Ledger, Sender
from simulated.schedule import Schedule
from tmux_sentry.contracts import AgentState, PaneIdentity
from tmux_sentry.tmux.client import Reply
from tmux_sentry.tmux.model import Capture, PaneInfo

#: An agent takes an Enter that comes sooner than this after a text for a part of it.
SWALLOWED = 0.3


@dataclass(eq=False)
class Pane:
    """A pane with a shell, or an agent, in it. `line` is what stands in its input line."""

    server: Server
    pane_id: str
    pid: int
    agent: bool
    options: dict[str, str] = field(default_factory=dict)
    line: str = ""
    pasted_at: float = 0.0
    busy_until: float = 0.0
    dead: bool = False
    in_mode: bool = False
    input_off: bool = False

    @property
    def identity(self) -> PaneIdentity:
        server = self.server
        return PaneIdentity(
            host=server.host, server_pid=server.pid, server_start=server.start, pane_id=self.pane_id, pane_pid=self.pid
        )

    @property
    def place(self) -> str:
        """What stays when the pane is respawned."""
        return f"{self.server.host}/{self.server.pid}/{self.pane_id}"

    @property
    def busy(self) -> bool:
        return self.server.schedule.now() < self.busy_until

    @property
    def command(self) -> str:
        return "claude" if self.agent else "make" if self.busy else "bash"

    @property
    def state(self) -> AgentState:
        if not self.agent:
            return AgentState.UNKNOWN
        return AgentState.WORKING if self.busy else AgentState.IDLE

    @property
    def cursor(self) -> tuple[int, int]:
        # The last row: what scrolls leaves the cursor where it was, so only the marker tells that keys went before.
        return (0 if self.busy and not self.agent else 2 + len(self.line), 2)

    def get(self, name: str) -> str:
        """A format's variable."""
        if name.startswith("@"):
            return self.options.get(name, "")
        values: dict[str, Any] = {
            "pid": self.server.pid,
            "start_time": self.server.start,
            "pane_id": self.pane_id,
            "pane_pid": self.pid,
            "cursor_x": self.cursor[0],
            "cursor_y": self.cursor[1],
            "pane_dead": int(self.dead),
            "pane_in_mode": int(self.in_mode),
            "pane_input_off": int(self.input_off),
            "pane_synchronized": 0,
            "pane_current_command": self.command,
        }
        return str(values[name])

    def info(self) -> PaneInfo:
        """The pane as an inventory finds it."""
        return PaneInfo(
            identity=self.identity, session_id="$0", session_name="s", window_id="@0", window_name="w", window_index=0,
            pane_index=0, command=self.command, path="/", title="", width=80, height=3, cursor=self.cursor,
            dead=self.dead, dead_status=None, in_mode=self.in_mode, alternate=False, input_off=self.input_off,
            synchronized=False, epoch=self.get("@sentry_epoch"), marker=self.get("@sentry_last"),
            owner=self.get("@sentry_owner"), hold="@sentry_hold" in self.options,
        )  # fmt: skip

    def capture(self) -> Capture:
        """What a person sees."""
        row = ("> " if self.agent else "" if self.busy else "$ ") + self.line
        screen = ("something older", "something old", row)
        return Capture(lines=screen, cursor=self.cursor, row=row, info=self.info(), screen=screen)

    # ------------------------------------------------------------------------- keys

    def paste(self, text: str, sender: Sender | None) -> None:
        """Text arrives at the program."""
        if self.dead or self.input_off or self.in_mode:
            return
        self.server.ledger.typed(self.place, self.identity.key, sender, self.line)
        self.server.schedule.note("text", self.place, text)
        self.line += text
        self.pasted_at = self.server.schedule.now()

    def press(self, keys: list[str], sender: Sender | None) -> None:
        """Keys arrive at the program."""
        if self.dead or self.input_off or self.in_mode:
            return
        ledger, schedule = self.server.ledger, self.server.schedule
        schedule.note("keys", self.place, *keys)
        if keys != ["Enter"]:
            ledger.typed(self.place, self.identity.key, sender, self.line)
        elif self.agent and schedule.now() - self.pasted_at < SWALLOWED:
            self.line += " "
        else:
            ledger.entered(self.place, self.identity.key, sender, self.line)
            self.line = ""
            self.busy_until = schedule.now() + schedule.random.uniform(1.0, 40.0)

    def respawn(self, pid: int) -> None:
        """Another process in the same pane; tmux keeps the options."""
        self.pid, self.line, self.busy_until = pid, "", 0.0
        self.dead = self.in_mode = self.input_off = False


class Server:
    """One tmux server. A pane's id is not used again while it lives."""

    def __init__(self, host: str, pid: int, schedule: Schedule, ledger: Ledger) -> None:
        self.host, self.pid, self.start = host, pid, int(schedule.now())
        self.schedule, self.ledger = schedule, ledger
        self.panes: dict[str, Pane] = {}
        self.buffers: dict[str, str] = {}
        self.alive = True
        self._made = 0

    def new_pane(self, pid: int, agent: bool) -> Pane:
        """One more pane."""
        pane = Pane(self, f"%{self._made}", pid, agent)
        self._made += 1
        self.panes[pane.pane_id] = pane
        return pane

    def carry_out(self, line: str, sender: Sender | None) -> list[Reply]:
        """The answers to a line's commands; an error ends it."""
        replies: list[Reply] = []
        self._all(line, sender, replies)
        return replies

    def _all(self, line: str, sender: Sender | None, replies: list[Reply]) -> bool:
        for words in commands(line):
            name, flags, rest = _parsed(words)
            pane = self.panes.get(flags["-t"]) if "-t" in flags else None
            if name == "if-shell":
                # Measured on 3.3a: without its target, if-shell looks at the active pane instead.
                seen = pane or next(iter(self.panes.values()), None)
                met = seen is not None and true(expand(rest[0], seen.get))
                replies.append(Reply(ok=True, lines=()))
                if not self._all(rest[1 if met else 2], sender, replies):
                    return False
                continue
            if "-t" in flags and pane is None:
                replies.append(Reply(ok=False, lines=(f"can't find pane: {flags['-t']}",)))
                return False
            text = self._one(name, flags, rest, pane, sender)
            if text is None:
                replies.append(Reply(ok=False, lines=(f"no buffer {flags.get('-b')}",)))
                return False
            replies.append(Reply(ok=True, lines=(text,) if text else ()))
        return True

    def _one(
        self, name: str, flags: dict[str, str], rest: list[str], pane: Pane | None, sender: Sender | None
    ) -> str | None:
        match name:
            case "set-buffer":
                self.buffers[flags["-b"]] = rest[0]
            case "delete-buffer":
                return "" if self.buffers.pop(flags["-b"], None) is not None else None
            case "display-message":
                return expand(rest[0], pane.get if pane is not None else lambda name: "")
            case "paste-buffer" if pane is not None:
                if flags["-b"] not in self.buffers:
                    return None
                pane.paste(self.buffers.pop(flags["-b"]), sender)
            case "send-keys" if pane is not None:
                pane.press(rest, sender)
            case "set-option" if pane is not None:
                pane.options[rest[0]] = rest[1]
                if rest[0] == "@sentry_epoch":
                    self.schedule.note("epoch", pane.place, rest[1])
                    self.ledger.claimed(pane.place, int(rest[1]))
            case _:
                raise NotImplementedError(f"the simulated tmux does not know {name}")
        return ""


#: Flags that have a value, by command; every other one stands alone.
_VALUES = {"set-option": "t", "paste-buffer": "bt", "send-keys": "t", "if-shell": "t", "display-message": "t"}


def _parsed(words: list[str]) -> tuple[str, dict[str, str], list[str]]:
    name, *rest = words
    flags: dict[str, str] = {}
    while rest and rest[0].startswith("-") and len(rest[0]) == 2:
        flag = rest.pop(0)
        if flag == "--":
            break
        flags[flag] = rest.pop(0) if flag[1] in _VALUES.get(name, "b") else ""
    return name, flags, rest
