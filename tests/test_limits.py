"""A usage limit in the running program: a real pane, an agent that is at its limit, a parser that reads it."""

from __future__ import annotations

import json
import re
import signal
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

#: Shows the first of limits.json above an input box; every text that is entered is noted and ends that limit. With none
#: left it works until a file `idle` is there.
AGENT = r"""
import json, os, select, sys, tty

limits = json.load(open("limits.json"))
log = open("said.log", "a", buffering=1)
tty.setraw(0)
box = ""


def draw():
    state = f"LIMIT {limits[0]}" if limits else "IDLE" if os.path.exists("idle") else "WORKING"
    os.write(1, f"\x1b[2J\x1b[H{state}\r\n> {box}".encode())


os.write(1, b"\x1b]2;\xe2\x9c\xb3 topic\x07\x1b[?2004h")
draw()
while True:
    data = os.read(0, 65536).decode().replace("\x1b[200~", "").replace("\x1b[201~", "")
    if data == "\r" and box:
        log.write(json.dumps(box) + "\n")
        box = ""
        del limits[:1]
    else:
        box += data.replace("\r", " ")
    draw()
"""
PARSER = """
    import hashlib
    from tmux_sentry import AgentState, Limit, ParserPlugin, Screen, Signal, SignalKind, Trust, hookimpl

    class Rules:
        def parse(self, observation, pane):
            if not isinstance(observation, Screen) or len(observation.lines) < 2:
                return
            line = observation.lines[-2]  # above the box; what stands above that may be history
            word, _, reset = line.partition(" ")
            digest = hashlib.sha256(line.encode()).hexdigest()
            common = {"parser": "rules", "trust": Trust.GUESSED, "confidence": 0.9, "live": False}
            common |= {"digest": digest, "at": observation.at}
            if word == "LIMIT":
                limit = Limit(text=line, reset=reset)
                yield Signal(kind=SignalKind.LIMIT, limit=limit, **common)
            elif word in ("IDLE", "WORKING"):
                yield Signal(kind=SignalKind.STATE, state=AgentState(word.lower()), **common)

    @hookimpl
    def tmux_sentry_parsers():
        yield ParserPlugin(name="rules", description="for tests", factory=lambda context: Rules())
"""
POLICY = """
    pipelines:
      - name: agent
        match: {window_name: "^job$"}
        RULE
        stages:
          - name: work
            actions_on_start: [{wait: 1h}]
            timeout: 2h
"""
RULE = 'on_limit: {resume: true, message: "go on", slack: 0, max_tries: 2}'


class Room:
    """A sandbox with an agent at its limit."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.path = sandbox.plugin("parser_rules", PARSER)
        self.pane = ""

    def shows(self, *limits: str) -> None:
        (self.sandbox.work / "limits.json").write_text(json.dumps(limits))
        script = self.sandbox.write("agent.py", AGENT)
        command = f"cd '{self.sandbox.work}' && exec '{sys.executable}' '{script}'"
        self.pane = self.sandbox.server.new_session("work", "job", command)
        self.sandbox.wait(lambda: "LIMIT" in self.sandbox.server.screen(self.pane), "the limit")

    def watch(self, rule: str = RULE, **env: str) -> Any:
        policy = self.sandbox.write("p.yaml", POLICY.replace("RULE", rule))
        return self.sandbox.watch(policy, PYTHONPATH=self.path, **env)

    def said(self) -> list[str]:
        """Every text that was entered."""
        path = self.sandbox.work / "said.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def state(self) -> Any:
        rows = self.sandbox.rows("SELECT state FROM runs")
        return json.loads(rows[0]["state"]) if rows else {"limit": None, "attempt": None}

    def standing(self) -> str:
        limit = self.state()["limit"]
        return limit["standing"] if limit else ""


@pytest.fixture
def room(sandbox: Any) -> Room:
    return Room(sandbox)


def test_the_message_is_typed_after_each_limit_until_the_tries_are_used_up(room: Room) -> None:
    room.shows("in 1s", "in 2s", "in 3s")
    process = room.watch()
    process.wait_line("the agent is at its usage limit: LIMIT in 2s; ends at")
    assert room.said() == ["go on"]
    process.wait_line("held: the agent is still at its usage limit after 2 tries (max_tries)")
    assert room.said() == ["go on", "go on"]


def test_without_a_rule_it_is_shown_and_nothing_is_typed(room: Room) -> None:
    hosts = room.sandbox.hosts
    hosts.write_text(hosts.read_text() + "    timezone: Asia/Tokyo\n")
    room.shows("tomorrow at 9am")
    process = room.watch("vars: {}")
    process.wait_line("read in the zone Asia/Tokyo, as hosts.yaml says; nothing is typed")
    (row,) = room.sandbox.json("runs", "list")
    until = datetime.strptime(row["limited_until"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert (row["limited"], until.hour, until.minute) == (True, 0, 0)
    assert row["limited_until"] in room.sandbox.ok("runs", "list")
    room.sandbox.wait(lambda: room.sandbox.rows("SELECT state FROM pane_states")[0]["state"] == "limited", "the row")
    (pane,) = room.sandbox.json("status", "--hosts", hosts)["panes"]
    assert (pane["state"], pane["limited_until"]) == ("limited", row["limited_until"])
    left = (until - datetime.now(timezone.utc)).total_seconds()
    assert left - 60 < pane["limited_for"] < left + 60
    assert re.search(r"limited until [0-9: -]+ \(in [0-9dhmin ]+\)", room.sandbox.ok("status", "--hosts", hosts))
    assert room.said() == []


@pytest.mark.parametrize("point", ["guard.answered", "done.before"])
def test_killed_on_the_way_the_message_is_typed_once(room: Room, point: str) -> None:
    room.shows("in 1s")
    assert room.watch(TMUX_SENTRY_FAILPOINT=point).end() == -signal.SIGKILL
    process = room.watch()
    if point == "guard.answered":  # the text is there, and whether Enter was pressed is not asked twice
        process.wait_line("held: typed, not submitted")
        assert room.said() == []
        return
    room.sandbox.wait(lambda: room.state()["limit"]["action_id"] is None and room.said(), "the end of the send")
    room.sandbox.wait(lambda: room.standing() == "over", "the end of the limit")
    assert room.said() == ["go on"]
    assert room.state()["attempt"]["held"] is None
