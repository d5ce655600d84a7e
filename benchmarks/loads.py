"""What the panes print while they are watched."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tmux_sentry.testing.tmux_server import TmuxServer

SESSIONS = 10
NOISE = 50  # ordinary lines a second of a busy pane
_TYPED_AT_ONCE = 100  # tmux takes commands of at most 16 kB

# It learns on its terminal when to start. Steps of the golden ratio spread the panes evenly over the second, for any
# number of them, and not in the order in which a poller goes through them.
_PRINTER = """
import os, sys, time
pane, lines, noise = map(int, sys.argv[1:])
start = float(input()) + pane * 0.618034 % 1
for number in range(lines * (1 + noise)):
    time.sleep(max(start + number / (1 + noise) - time.time(), 0))
    if number % (1 + noise):
        os.write(1, b"an ordinary line of a busy pane, number %d\\n" % number)
        continue
    event = '### SENTRY {"type":"STATUS","stage":"bench","id":"%d-%d","data":{"printed_ns":%d}}\\n'
    os.write(1, (event % (pane, number, time.time_ns())).encode())
time.sleep(3600)
"""
_FLOOD = "read start; exec yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`panes` print one SENTRY line a second each; `busy` of them print NOISE ordinary lines a second as well."""

    name: str
    panes: int
    busy: int = 0
    flood: bool = False  # one pane more, in the first session, runs `yes`

    @property
    def sessions(self) -> int:
        """How many sessions the panes are spread over."""
        return min(SESSIONS, self.panes)

    @property
    def text(self) -> str:
        """For people."""
        busy = f", {self.busy} of them {NOISE} ordinary lines a second" if self.busy else ""
        flood = ", and one pane that floods" if self.flood else ""
        return f"{self.panes} panes in {self.sessions} sessions, a SENTRY line a second each{busy}{flood}"


def load(name: str) -> Load:
    """The load that "100", "100+busy" or "100+flood" names. Raises ValueError."""
    match = re.fullmatch(r"([1-9]\d{0,2})(?:\+(busy|flood))?", name)
    if match is None:
        raise ValueError(f"{name} is not a load: a number of panes, with +busy or +flood behind it")
    panes = int(match[1])
    busy = max(panes // 10, 1) if match[2] == "busy" else 0
    return Load(name=name, panes=panes, busy=busy, flood=match[2] == "flood")


def open_panes(server: TmuxServer, load: Load, lines: int) -> list[str]:
    """A window for each pane, with a printer of so many SENTRY lines; returns the pane ids."""
    printers = [[sys.executable, "-I", "-S", "-c", _PRINTER, str(number), str(lines)] for number in range(load.panes)]
    every = max(load.panes // load.busy, 1) if load.busy else 0
    noise = [NOISE if every and not number % every else 0 for number in range(load.panes)]
    commands = [shlex.join(["exec", *argv, str(more)]) for argv, more in zip(printers, noise, strict=True)]
    commands += [_FLOOD] if load.flood else []
    return [_open(server, number, load.sessions, command) for number, command in enumerate(commands)]


def start(server: TmuxServer, pane_ids: Sequence[str], at: float) -> None:
    """Let the panes print their first lines in the second after `at` (epoch seconds); a flood begins at once."""
    for first in range(0, len(pane_ids), _TYPED_AT_ONCE):
        some = pane_ids[first : first + _TYPED_AT_ONCE]
        typed = [word for pane_id in some for word in ("send-keys", "-t", pane_id, str(at), "Enter", ";")]
        server.run(*typed[:-1])


def _open(server: TmuxServer, number: int, sessions: int, command: str) -> str:
    session = f"work{number % sessions}"
    if number < sessions:
        return server.new_session(session, command=command)
    return server.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", f"{session}:", command)
