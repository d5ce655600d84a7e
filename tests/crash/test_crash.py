"""The crash harness in small, as its command line: green for the program, red for each mutant of it.

`make crash` is the whole of it: 1,000 kills at random moments, 25 at each failpoint.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import tmux_sentry
from tmux_sentry import failpoints

HARNESS = Path(__file__).with_name("crash.py")
SOURCE = Path(tmux_sentry.__file__).parent

#: What each mutant does to the actions.
HARM = {
    "any-answer": "lost",
    "blind-resend": "doubled",
    "forget": "lost",
    "marker-after": "doubled",
    "no-epoch": "garbled",
    "no-process": "garbled",
    "settle-first": "lost",
    "two-steps": "lost",
}


def harness(*options: str) -> tuple[int, str]:
    """Run it; its exit status and all that it said."""
    done = subprocess.run(
        [sys.executable, str(HARNESS), "--seed", "20261128", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    print(done.stdout)
    return done.returncode, done.stdout


def counts(said: str) -> Counter[str]:
    """The numbers of the result line."""
    (line,) = [line for line in said.splitlines() if "actions " in line and "95% bound" in line]
    return Counter({name: int(number) for name, number in re.findall(r"(\w+) (\d+)(?=[,;]| \()", line)})


def test_each_failpoint_is_at_one_place_of_the_source() -> None:
    used: Counter[str] = Counter()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reach":
                (argument,) = node.args
                used[ast.literal_eval(argument)] += 1
    assert used == Counter(failpoints.NAMES)
    assert len(failpoints.NAMES) >= 12


@pytest.mark.parametrize("wrong", ["nowhere", "settle.before:x", "settle.before:"])
def test_a_wrong_failpoint_is_no_failpoint(wrong: str) -> None:
    code = "import os, tmux_sentry.failpoints as f; print(f._wanted)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"TMUX_SENTRY_FAILPOINT": wrong}, capture_output=True, text=True, check=False
    )
    if wrong == "settle.before:":
        assert done.stdout.strip() == "('settle.before', 1)"
    else:
        assert "there are: plan.written" in done.stderr


@pytest.mark.slow
def test_killed_forty_times_nothing_is_lost_doubled_or_garbled() -> None:
    status, said = harness("--kills", "40")
    found = counts(said)
    assert (status, found["lost"], found["doubled"], found["garbled"], found["missing"]) == (0, 0, 0, 0, 0)
    assert found["kills"] == 40
    assert found["actions"] >= 120


@pytest.mark.slow
def test_killed_at_each_failpoint_nothing_is_lost_doubled_or_garbled() -> None:
    status, said = harness("--failpoints", "--times", "1")
    found = counts(said)
    assert (status, found["lost"], found["doubled"], found["garbled"], found["missing"]) == (0, 0, 0, 0, 0)
    assert found["kills"] >= len(failpoints.NAMES)  # each was reached, or it would have ended with 1


@pytest.mark.slow
def test_stopped_for_longer_than_it_waits_nothing_is_lost_doubled_or_garbled() -> None:
    status, said = harness("--stop", "2")
    found = counts(said)
    assert (status, found["lost"], found["doubled"], found["garbled"]) == (0, 0, 0, 0)


@pytest.mark.slow
def test_what_changes_in_the_last_moment_is_noticed() -> None:
    status, said = harness("--scenes")
    found = counts(said)
    assert (status, found["lost"], found["doubled"], found["garbled"]) == (0, 0, 0, 0)
    assert found["actions"] > 4


@pytest.mark.slow
@pytest.mark.parametrize("mutant", HARM)
def test_the_harness_goes_red_without(mutant: str) -> None:
    status, said = harness("--mutant", mutant)
    assert status == 1
    assert counts(said)[HARM[mutant]] > 0


def messages(count: int, mutant: str = "") -> tuple[int, str]:
    """Send messages through a failing provider, with kills; its exit status and its line."""
    script = str(HARNESS.with_name("messages.py"))
    command = [sys.executable, script, "run", str(count), "20261128", mutant]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout


def test_messages_arrive_at_least_once_and_doubled_only_where_nobody_could_know() -> None:
    code, said = messages(200)
    assert code == 0
    assert "kills 0" not in said
    assert "answers lost 0" not in said


@pytest.mark.parametrize(("mutant", "harm"), [("new-id", "under another id"), ("optimist", "lost")])
def test_a_mutant_of_the_outbox_is_caught(mutant: str, harm: str) -> None:
    code, said = messages(60, mutant)
    assert code == 1
    assert not re.search(rf"\b{harm} 0\b", said.partition(": ")[2])
