"""Plain output decides a stage where the policy says that it may, and nowhere else."""

from __future__ import annotations

from typing import Any

POLICY = """
    pipelines:
      - name: guessing
        match: {window_name: "^job$"}
        stages:
          - name: good
            min_trust: guessed
            timeout: 20s
            actions_on_start: [{send_keys: "cat good.txt"}]
          - name: bad
            triggers: [{after_stage_success: good}]
            min_trust: guessed
            timeout: 20s
            actions_on_start: [{send_keys: "cat bad.txt"}]
          - name: careful
            triggers: [{after_stage_failure: bad}]
            timeout: 1s
            actions_on_start: [{send_keys: "cat bad.txt"}]
"""


def test_a_guess_decides_stages_that_take_guesses_and_is_shown_otherwise(sandbox: Any) -> None:
    sandbox.write("good.txt", "Ran 3 tests in 0.001s\n\nOK\n")
    sandbox.write("bad.txt", "Ran 3 tests in 0.001s\n\nFAILED (failures=1)\n")
    sandbox.pane()
    assert sandbox.watch(sandbox.write("p.yaml", POLICY), "--once").end() == 1
    assert sandbox.stages() == [("good", "succeeded"), ("bad", "failed"), ("careful", "timed_out")]
    (row,) = sandbox.rows("SELECT last_signal FROM pane_states")
    assert "FAILED (failures=1)" in row["last_signal"]
