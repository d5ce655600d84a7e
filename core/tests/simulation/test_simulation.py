"""Two instances, killed and stopped anywhere, on panes that come and go: every key goes once, or a person is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulate import SimulationFailed, simulate
from simulated.formats import commands, expand
from simulated.mutants import MUTANTS, mutated

#: (seed, size): what runs each time. `simulate.py --size day` is the whole of it.
ALWAYS = [*((seed, "duel") for seed in range(1, 4)), *((seed, "small") for seed in range(1, 4))]
#: Where a mutant is looked for first, because it was found there soonest; then in all of them.
FIRST = {
    "blind resend": (2, "duel"),
    "no cursor": (32, "small"),
    "no epoch": (3, "duel"),
    "no identity": (2, "duel"),
    "no marker": (2, "duel"),
    "ok is enough": (8, "duel"),
    "settled first": (6, "duel"),
}
MORE = [*((seed, "duel") for seed in range(4, 9)), (32, "small")]


@pytest.mark.parametrize(("seed", "size"), ALWAYS)
def test_every_promise_is_kept(seed: int, size: str) -> None:
    result = simulate(seed, size)
    # It would be easy to keep them by doing nothing.
    assert result.carried_out > 50
    assert result.killed
    assert result.late
    assert result.take_overs


def test_the_same_seed_does_the_same_in_another_process() -> None:
    here = simulate(2, "duel").trace
    command = [sys.executable, str(Path(__file__).with_name("simulate.py")), "--seed", "2", "--size", "duel"]
    # Another order of sets is what usually gives such a thing away.
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert here in said
    assert simulate(1, "duel").trace != here


@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_safeguard_a_promise_is_broken(name: str) -> None:
    for seed, size in [*filter(None, [FIRST.get(name)]), *ALWAYS, *MORE]:
        said = broken(name, seed, size)
        if said is not None:
            assert said.startswith("Broken: ")
            assert f"--seed {seed} --size {size}" in said  # how to see it again
            return
    pytest.fail(f"{name}: nothing noticed it")


def broken(name: str, seed: int, size: str) -> str | None:
    with mutated(name):
        try:
            simulate(seed, size)
        except SimulationFailed as error:
            return str(error)
    return None


def test_a_line_is_read_as_tmux_reads_it() -> None:
    assert commands("""a -b "x\\073 \\303\\244" 'y ; z' ; c""") == [["a", "-b", "x; ä", "y ; z"], ["c"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#{x}/#{unset}/", "1//"),
        ("#{==:#{x}/#{y},1/two}", "1"),
        ("#{?x,#{?unset,a,b},c}", "b"),
        ("#{&&:#{==:#{x},1},#{!=:#{y},two}}", "0"),
        ("#{?#{m/r:[^0-9],#{y}},bad,#{y}}", "bad"),
        ("#{?#{m/r:[^0-9],#{x}},bad,#{x}}", "1"),
    ],
)
def test_a_format_is_read_as_tmux_reads_it(text: str, expected: str) -> None:
    assert expand(text, lambda name: {"x": "1", "y": "two"}.get(name, "")) == expected
