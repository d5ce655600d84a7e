"""Approvals at the terminal, from the outside: who is written down, and what counts, with `run` and without it."""

from __future__ import annotations

import json
import os
import pwd
import signal
from typing import Any

import pytest

TWO = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval: {required: 2}
            actions_on_start: [{send_keys: "npm run first"}]
"""

ASK = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval: {timeout: %s}
            actions_on_start: [{send_keys: "npm run first"}]
"""


@pytest.mark.parametrize("running", [True, False])
def test_a_user_counts_once_under_their_own_name_whatever_the_environment_says(sandbox: Any, running: bool) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("two.yaml", TWO))
    sandbox.question("first")
    (request,) = sandbox.json("approvals")
    if not running:
        run.end(signal.SIGTERM)
    me = pwd.getpwuid(os.getuid()).pw_name
    first, second = (sandbox.run("approve", request["id"], USER=name, LOGNAME=name) for name in ("ann", "bob"))
    assert "noted: 1 of 2 have said yes" in first.stdout
    assert f"does not count: {me} has said so already" in second.stdout
    assert second.returncode == 1
    assert [row["by"] for row in sandbox.rows('SELECT "by" FROM votes ORDER BY id')] == [me, me]
    assert sandbox.typed() == []


@pytest.mark.parametrize(
    ("timeout", "gone"),
    [("1s", "pipeline asking"), ("1s", "stage first"), ("1h", "pipeline asking"), ("1h", "stage first")],
)
def test_what_the_policy_no_longer_has_cannot_be_approved(sandbox: Any, timeout: str, gone: str) -> None:
    """Whether its question still waits, or is held because its time is over."""
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK % timeout))
    sandbox.question("first")
    (request,) = sandbox.json("approvals")
    if timeout == "1s":
        sandbox.wait(lambda: sandbox.stages() == [("first", "held")], "the end of its time")
    run.end(signal.SIGTERM)
    name = gone.split()[1]
    again = sandbox.watch(sandbox.write("other.yaml", (ASK % timeout).replace(name, "other").replace("npm", "gh")))
    again.wait_line(f"{gone} is gone")
    late = sandbox.run("approve", request["id"])
    assert (late.returncode, "already cancelled" in late.stdout) == (1, True)
    (held,) = json.loads(sandbox.ok("runs", "list", "--json"))
    assert f"{gone} is gone" in held["held"]
    assert sandbox.json("approvals") == []
    assert sandbox.typed() == []


@pytest.mark.parametrize("running", [True, False])
def test_a_comment_is_kept_whole_or_refused(sandbox: Any, running: bool) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK % "1h"))
    sandbox.question("first")
    (request,) = sandbox.json("approvals")
    if not running:
        run.end(signal.SIGTERM)
    long = sandbox.run("reject", request["id"], "--comment", "x" * 1001)
    assert (long.returncode, "1001 characters, 1000 can be kept" in long.stderr) == (2, True)
    assert sandbox.rows("SELECT * FROM votes") == []
    assert "rejected" in sandbox.ok("reject", request["id"], "--comment", "x" * 1000)
    assert sandbox.rows("SELECT comment FROM votes") == [{"comment": "x" * 1000}]


NAMED = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval:
              approvers: [%s]
              escalate: {after: 1h, approvers: [%s]}
            actions_on_start: [{send_keys: {text: "npm run first", report_exit: true}}]
"""
MAIL = "NOTIFICATION_CHANNELS=stdout,email\nSMTP_SERVER=127.0.0.1\nSMTP_FROM=us@a.b\nSMTP_TO=Ann@a.b\n"
SECRET = "APPROVAL_SECRET=" + "s3cr3t-" * 6 + "\n"


@pytest.mark.parametrize(
    ("first", "second", "secret", "unheard"),
    [
        ("me", "ann@A.B", SECRET, []),
        ("me", "ann@a.b", "", ["ann@a.b"]),  # no links without it
        ("bob", "ann@a.b", SECRET, ["bob"]),
        ("me", "eve@a.b", SECRET, ["eve@a.b"]),
        ("bob", "bob", SECRET, ["bob"]),
    ],
)
def test_an_approver_who_has_no_way_of_answering_is_told(
    sandbox: Any, first: str, second: str, secret: str, unheard: list[str]
) -> None:
    names = [{"me": pwd.getpwuid(os.getuid()).pw_name}.get(name, name) for name in (first, second)]
    policy, env_file = sandbox.write("named.yaml", NAMED % tuple(names)), sandbox.write(".env", MAIL + secret)
    checked = sandbox.run("check", "--policy", policy, "--env-file", env_file)
    started = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--env-file", env_file, "--once")
    for done in (checked, started):
        said = [line.partition("known for ")[2].partition(":")[0] for line in done.stderr.splitlines()]
        assert [name for name in said if name] == unheard
    assert checked.returncode == 0
    assert "known for" not in sandbox.run("check", "--policy", policy).stderr, "the settings of `run` are not known"
