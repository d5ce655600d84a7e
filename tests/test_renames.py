"""Windows, sessions and panes that come, are renamed or respawned while `tmux-sentry run` watches."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

#: Seconds between two looks at the panes, and what a busy machine may take on top.
INTERVAL, SLACK = 2.0, 0.5

TWO_STAGES = """
    pipelines:
      - name: steps
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 20s
            actions_on_start: [{send_keys: "npm run first"}]
          - name: second
            triggers: [{after_stage_success: first}]
            timeout: 20s
            actions_on_start: [{send_keys: "npm run second"}]
"""
BOTH = ["npm run first", "npm run second"]
DONE = [("first", "succeeded"), ("second", "succeeded")]


def policy(sandbox: Any, match: str = '{window_name: "^job$"}') -> Any:
    return sandbox.write("steps.yaml", TWO_STAGES.replace('{window_name: "^job$"}', match))


def runs(sandbox: Any) -> list[dict[str, Any]]:
    return sandbox.rows("SELECT pane_id, pane_key, status, started_at FROM runs ORDER BY started_at")


def wait_name(sandbox: Any, pane: str, name: str) -> None:
    """Wait until the program knows a pane's window by this name."""
    query = "SELECT 1 FROM pane_states WHERE pane_id = ? AND window_name = ?"
    sandbox.wait(lambda: sandbox.rows(query, pane, name), f"{pane} as {name}")


def wait_taken(sandbox: Any, run: Any) -> None:
    """Open one more pane that matches and wait for its run: whatever was to start before it has started."""
    sandbox.server.run("new-window", "-d", "-n", "job", sandbox.shell)
    before = run.output.count("run succeeded")
    run.wait_line("run succeeded", times=before + 1)


# ------------------------------------------------------------------------------- what is taken

TAKEN = {
    "a new window": ('{window_name: "^job$"}', "new-window -d -n job"),
    "a new session": ('{window_name: "^job$"}', "new-session -d -s new -n job"),
    "a split": ('{window_name: "^split$", pane_index: "^1$"}', "split-window -d -t other"),
    "a renamed window": ('{window_name: "^job$"}', "rename-window -t other job"),
    "a renamed session": ('{session_name: "^night$"}', "rename-session -t other night"),
}


@pytest.mark.parametrize(("match", "change"), TAKEN.values(), ids=TAKEN.keys())
def test_what_comes_to_match_is_taken_within_two_seconds(sandbox: Any, match: str, change: str) -> None:
    sandbox.pane("lobby")
    sandbox.pane("split", "other")
    run = sandbox.watch(policy(sandbox, match))
    sandbox.wait(lambda: len(sandbox.rows("SELECT 1 FROM pane_states")) == 2, "both panes")
    assert runs(sandbox) == []
    began = time.time()
    opens = change.startswith(("new", "split"))
    sandbox.server.run(*change.split(), *([sandbox.shell] if opens else []))
    run.wait_line("run succeeded")
    (taken,) = runs(sandbox)
    assert taken["started_at"] - began <= INTERVAL + SLACK
    assert sandbox.typed() == BOTH
    assert run.end(signal.SIGTERM) == 0


# ---------------------------------------------------------------------------- what is renamed


def test_a_run_goes_on_under_whatever_name_and_does_not_start_again(sandbox: Any) -> None:
    pane = sandbox.pane("job")
    held = sandbox.hold("first")
    run = sandbox.watch(policy(sandbox))
    run.wait_line("first running")
    sandbox.wait_typed("npm run first")
    for name in ("elsewhere", "job", "elsewhere"):
        sandbox.server.run("rename-window", "-t", pane, name)
        wait_name(sandbox, pane, name)
    held.unlink()
    run.wait_line("run succeeded")  # its second stage began while no pattern matched any more
    for name in ("job", "elsewhere", "job"):
        sandbox.server.run("rename-window", "-t", pane, name)
        wait_name(sandbox, pane, name)
    assert sandbox.typed() == BOTH
    wait_taken(sandbox, run)
    assert run.end(signal.SIGTERM) == 0
    assert sandbox.typed() == BOTH * 2
    assert [row["status"] for row in runs(sandbox)] == ["succeeded"] * 2
    assert [row["pane_id"] for row in runs(sandbox)].count(pane) == 1
    assert sandbox.stages() == DONE * 2


def test_a_run_goes_on_when_its_window_moves_to_a_session_of_another_name(sandbox: Any) -> None:
    pane = sandbox.pane("job")
    sandbox.pane("lobby", "other")
    held = sandbox.hold("first")
    run = sandbox.watch(policy(sandbox))
    run.wait_line("first running")
    sandbox.wait_typed("npm run first")
    sandbox.server.run("move-window", "-d", "-s", "work:job", "-t", "other:5")
    query = "SELECT 1 FROM pane_states WHERE pane_id = ? AND session_name = 'other'"
    sandbox.wait(lambda: sandbox.rows(query, pane), "the pane in the other session")
    held.unlink()
    run.wait_line("run succeeded")
    assert run.end(signal.SIGTERM) == 0
    assert sandbox.typed() == BOTH
    assert sandbox.stages() == DONE


# -------------------------------------------------------------------------- what is respawned


def respawn_in_mid_stage(sandbox: Any) -> tuple[Any, Any]:
    """A run whose first stage runs when its pane is respawned, after the end of that run; what holds the command."""
    pane = sandbox.pane("job")
    held = sandbox.hold("first")
    run = sandbox.watch(policy(sandbox))
    run.wait_line("first running")
    sandbox.wait_typed("npm run first")
    sandbox.server.run("respawn-pane", "-k", "-t", pane, sandbox.shell)
    run.wait_line("run failed")
    run.wait_line(" started", times=2)
    return run, held


def test_a_respawned_pane_is_another_one_and_its_run_has_failed(sandbox: Any) -> None:
    run, _ = respawn_in_mid_stage(sandbox)
    run.wait_line("the pane is gone")
    old, new = runs(sandbox)
    assert (old["status"], new["status"]) == ("failed", "open")
    assert old["pane_id"] == new["pane_id"]
    assert old["pane_key"] != new["pane_key"]
    assert sandbox.stages()[:2] == [("first", "failed"), ("second", "skipped")]


def test_the_run_of_a_respawned_pane_types_its_commands(sandbox: Any) -> None:
    run, held = respawn_in_mid_stage(sandbox)
    sandbox.wait(lambda: len(sandbox.typed()) == 2 or "first held" in run.output, "a decision")
    assert "first held" not in run.output
    assert "several panes" not in run.output
    held.unlink()
    run.wait_line("run succeeded")
    assert sandbox.typed() == ["npm run first", *BOTH]


STATUS = 'printf \'@@SENTRY {"type":"STATUS","stage":"first","ok":true}\\n\''


def test_what_a_respawned_pane_says_is_not_the_word_of_its_predecessor(sandbox: Any) -> None:
    """It says it at once, long before an inventory shows that it is another pane."""
    pane = sandbox.pane("job")
    sandbox.hold("first")
    run = sandbox.watch(policy(sandbox))
    run.wait_line("first running")
    sandbox.wait_typed("npm run first")
    say = sandbox.write("say", STATUS)
    sandbox.server.run("respawn-pane", "-k", "-t", pane, f"sh {say}; {sandbox.shell}")
    run.wait_line("run failed")
    assert "first succeeded" not in run.output
    assert sandbox.stages()[:2] == [("first", "failed"), ("second", "skipped")]
    assert "was respawned: what it prints now counts for no run" in run.output
