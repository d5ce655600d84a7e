"""Dialogs of an agent in the running program: a real pane, a program that draws them, a parser that reads them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

#: Draws the dialogs of dialogs.json, one after the other, and notes the keys that it gets. A dialog that "stays" takes
#: no key. SIGUSR1 puts the next one into the place of the one that is there.
AGENT = r"""
import json, os, signal, sys, tty

dialogs = json.load(open("dialogs.json"))
keys = open("keys.log", "a", buffering=1)
tty.setraw(0)


def draw():
    text = f"Run this command?\r\n  $ {dialogs[0]['command']}\r\n  1. Yes\r\n  2. No\r\n> " if dialogs else "done\r\n"
    os.write(1, ("\x1b[2J\x1b[H" + text).encode())


def change(*_):
    dialogs.pop(0)
    draw()


signal.signal(signal.SIGUSR1, change)
open("pid", "w").write(str(os.getpid()))
os.write(1, b"\x1b]2;\xe2\x9c\xb3 topic\x07")
draw()
while True:
    key = os.read(0, 100).decode()
    keys.write(json.dumps(key) + "\n")
    if dialogs and not dialogs[0].get("stays"):
        change()
"""
PARSER = """
    from tmux_sentry import (
        Choice, Dialog, ParserPlugin, Screen, Signal, SignalKind, Trust, dialog_fingerprint, hookimpl
    )

    YES = Choice(label="Yes", key=("1",), meaning="approve")
    NO = Choice(label="No", key=("2",), meaning="reject")

    class Rules:
        def parse(self, observation, pane):
            if not isinstance(observation, Screen) or len(observation.lines) < 5:
                return
            question, command = observation.lines[-5], observation.lines[-4].strip()
            if question != "Run this command?":
                return
            command = command.removeprefix("$ ")
            name = dialog_fingerprint(question, command, (YES, NO))
            yield Signal(
                kind=SignalKind.PROMPT, parser="rules", trust=Trust.GUESSED, confidence=0.9, digest=name,
                at=observation.at, live=False, evidence=command,
                dialog=Dialog(
                    question=question, command=command, choices=(YES, NO), kind="command", fingerprint=name
                ),
            )

    @hookimpl
    def tmux_sentry_parsers():
        yield ParserPlugin(name="rules", description="for tests", factory=lambda context: Rules())
"""
POLICY = """
    pipelines:
      - name: agent
        match: {window_name: "^job$"}
        on_prompt: RULE
        stages:
          - name: work
            actions_on_start: [{wait: 1h}]
            timeout: 2h
"""
RULE = '{answer: approve, allow: ["git status", "cat ..."], otherwise: ask}'


class Room:
    """A sandbox whose pane shows dialogs."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.work: Path = sandbox.work
        self.path = sandbox.plugin("parser_rules", PARSER)
        self.pane = ""

    def shows(self, *commands: str, stays: bool = False) -> None:
        """Begin the agent: it asks whether it may run these."""
        (self.work / "dialogs.json").write_text(json.dumps([{"command": one, "stays": stays} for one in commands]))
        script = self.sandbox.write("agent.py", AGENT)
        command = f"cd '{self.work}' && exec '{sys.executable}' '{script}'"
        self.pane = self.sandbox.server.new_session("work", "job", command)
        self.sandbox.wait(lambda: "Run this command?" in self.screen(), "the first dialog")

    def watch(self, rule: str = RULE, **env: str) -> Any:
        policy = self.sandbox.write("p.yaml", POLICY.replace("RULE", rule))
        return self.sandbox.watch(policy, PYTHONPATH=self.path, **env)

    def screen(self) -> str:
        shown: str = self.sandbox.server.screen(self.pane)
        return shown

    def change(self) -> None:
        """Another dialog takes the place of the one that is there, as if somebody had answered."""
        os.kill(int((self.work / "pid").read_text()), signal.SIGUSR1)

    def keys(self) -> list[str]:
        """Every key that the agent got; the last line may still be on its way."""
        path = self.work / "keys.log"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def relay(self) -> Any:
        """The dialog in hand, as it is written down."""
        rows = self.sandbox.rows("SELECT state FROM runs")
        return json.loads(rows[0]["state"])["relay"] if rows else "no run"

    def wait_over(self) -> None:
        self.sandbox.wait(lambda: self.relay() is None, "the end of the dialog")

    def questions(self) -> list[tuple[str, str]]:
        """Command and status of each request, in order."""
        rows = self.sandbox.rows("SELECT request, status FROM approvals ORDER BY created_at")
        return [(json.loads(row["request"])["about"][1], row["status"]) for row in rows]


@pytest.fixture
def room(sandbox: Any) -> Room:
    return Room(sandbox)


def test_a_command_on_the_list_is_answered_with_one_key(room: Room) -> None:
    room.shows(f"cat {room.work}/README.md", "git status", f"cat {room.work}/x")
    process = room.watch()
    room.sandbox.wait(lambda: "done" in room.screen(), "three answers")
    room.wait_over()
    assert room.keys() == ["1", "1", "1"]
    assert process.output.count("will answer a dialog") == 3
    assert room.questions() == []


def test_anything_else_is_asked_and_yes_types_the_key(room: Room) -> None:
    room.shows("git status; rm x")
    room.watch()
    question = room.sandbox.question("work")
    text = question.read_text()
    for line in ("#   Run this command?", "#   command: git status; rm x", "#   yes types: <1>", "#   no types: <2>"):
        assert line in text
    assert room.keys() == []
    room.sandbox.answer(question, "approve")
    room.wait_over()
    assert room.keys() == ["1"]


def test_no_types_the_key_of_no(room: Room) -> None:
    room.shows("rm x")
    room.watch("ask")
    room.sandbox.answer(room.sandbox.question("work"), "reject not that")
    room.wait_over()
    assert room.keys() == ["2"]
    assert room.questions() == [("command: rm x", "rejected")]


def test_an_answer_at_the_keyboard_closes_the_question(room: Room) -> None:
    room.shows("rm x")
    room.watch("ask")
    room.sandbox.question("work")
    room.sandbox.server.run("send-keys", "-t", room.pane, "2")
    room.wait_over()
    assert room.questions() == [("command: rm x", "cancelled")]
    assert room.keys() == ["2"]


def test_nothing_is_typed_into_a_dialog_that_came_after_the_answer(room: Room) -> None:
    room.shows("rm x", "rm -rf y")
    process = room.watch("ask")
    question = room.sandbox.question("work")
    room.sandbox.ok("pause", room.pane)
    room.sandbox.answer(question, "approve")
    process.wait_line("waiting to type: paused")
    room.change()
    room.sandbox.wait(lambda: "rm -rf y" in room.screen(), "the second dialog")
    room.sandbox.ok("unpause", room.pane)
    room.sandbox.wait(lambda: len(room.questions()) == 2, "a question about the second")
    assert room.questions() == [("command: rm x", "approved"), ("command: rm -rf y", "pending")]
    assert room.keys() == []


def test_a_dialog_that_does_not_go_away_is_held_after_one_key(room: Room) -> None:
    room.shows("git status", stays=True)
    process = room.watch()
    process.wait_line("held: the dialog did not take the answer")
    assert room.keys() == ["1"]
    assert room.sandbox.stages() == [("work", "held")]


@pytest.mark.parametrize(
    "point",
    [
        "plan.written",
        "plan.committed",
        "intend.committed",
        "guard.before",
        "guard.answered",
        "settle.committed",
        "done.before",
        "done.committed",
    ],
)
def test_killed_on_the_way_the_key_is_typed_once(room: Room, point: str) -> None:
    room.shows("git status")
    assert room.watch(TMUX_SENTRY_FAILPOINT=point).end() == -signal.SIGKILL
    room.watch()
    room.wait_over()
    assert room.keys() == ["1"]


def test_a_question_outlives_the_program(room: Room) -> None:
    room.shows("rm x")
    first = room.watch("ask")
    question = room.sandbox.question("work")
    first.end(signal.SIGKILL)
    room.watch("ask")
    room.sandbox.answer(question, "approve")
    room.wait_over()
    assert room.keys() == ["1"]
    assert room.questions() == [("command: rm x", "approved")]
