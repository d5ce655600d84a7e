"""A pattern that takes too long, in a real `run`: people hear of it once, and the run goes on."""

from __future__ import annotations

import signal
from typing import Any

POLICY = """
    pipelines:
      - name: slow
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 30s
            actions_on_start: [{send_keys: "for i in 1 2 3 4; do echo %s; done; echo all done"}]
            success_when: [{log_regex: "^all done"}]
            failure_when: [{log_regex: {pattern: '^(a|aa)+$', engine: regex}}]
"""


def test_a_pattern_that_takes_too_long_is_told_once_and_the_run_goes_on(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("slow.yaml", POLICY % ("a" * 60 + "-")))
    run.wait_line("run succeeded")
    run.wait_line("the pattern ^(a|aa)+$ is searched no more until the next start: it took too long 3 times")
    run.wait_line("the pattern ^(a|aa)+$ is searched no more until the next start", times=2)  # the notification
    assert run.end(signal.SIGINT) == 130
    assert sum("is searched no more" in line for line in run.lines) == 2
    assert sandbox.stages() == [("first", "succeeded")]
