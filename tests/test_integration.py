"""The main job from the outside: the real command line, a real tmux, a real shell in the pane, real files."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ROOT / "policies"
WEBAPP = POLICIES / "webapp.yaml"
NPM = ["npm run lint", "npm test", "npm run build"]
GOOD = [("lint", "succeeded"), ("test", "succeeded"), ("build", "succeeded")]

ONE = """
    pipelines:
      - name: single
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 10s
            actions_on_start: [{send_keys: "npm run first"}]
"""
ASK = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval: true
            actions_on_start: [{send_keys: "npm run first"}]
          - name: sorry
            triggers: [{after_stage_failure: first}]
            actions_on_start: [{send_keys: "npm run sorry"}]
"""
OURS = {"@sentry_epoch", "@sentry_last", "@sentry_owner"}


def options(sandbox: Any, *where: str) -> set[str]:
    """The user options that are set there."""
    return {line.split()[0] for line in sandbox.server.run("show-options", *where).splitlines() if line[0] == "@"}


# ---------------------------------------------------------------------------- the main job


def test_run_walks_a_shell_through_the_pipeline_and_types_each_command_once(sandbox: Any) -> None:
    pane = sandbox.pane("agent:codex-ci")
    run = sandbox.watch(WEBAPP)
    question = sandbox.question("build")
    assert sandbox.typed() == NPM[:2]  # not a key before the answer
    assert "npm run build" in question.read_text()
    assert ("build", "waiting_approval") in sandbox.stages()
    sandbox.answer(question, "approve")
    run.wait_line("run succeeded")
    sandbox.wait(lambda: sandbox.rows("SELECT 1 FROM pane_states WHERE pipeline IS NULL OR pipeline = ''"), "the row")

    assert run.end(signal.SIGINT) == 130
    assert "Go on with the same command" in run.lines[-1]
    assert sandbox.typed() == NPM
    assert sandbox.stages() == GOOD
    assert options(sandbox, "-p", "-t", pane) == OURS
    assert not options(sandbox, "-g") | options(sandbox, "-s") | options(sandbox, "-w", "-t", pane)
    assert not sandbox.clients()
    assert not (sandbox.home / "control.sock").exists()


def test_the_documented_queries_show_panes_and_stages(sandbox: Any) -> None:
    sandbox.pane("agent:codex-ci")
    sandbox.server.new_session("other", "quiet", sandbox.shell)
    run = sandbox.watch(WEBAPP)
    sandbox.answer(sandbox.question("build"), "approve")
    run.wait_line("run succeeded")
    sandbox.wait(lambda: sandbox.rows("SELECT COUNT(*) AS n FROM pane_states")[0]["n"] == 2, "both panes")
    run.end(signal.SIGTERM)
    with closing(sqlite3.connect(sandbox.home / "state.db")) as database:
        assert database.execute("SELECT COUNT(*) FROM pane_states;").fetchone() == (2,)
        cursor = database.execute("SELECT * FROM stage_history ORDER BY started_at DESC LIMIT 10;")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    assert [(row["stage"], row["status"], row["attempt"]) for row in rows] == [
        ("build", "succeeded", 1),
        ("test", "succeeded", 1),
        ("lint", "succeeded", 1),
    ]
    assert [row["pipeline"] for row in rows] == ["webapp-ci"] * 3
    assert rows[0]["approved_by"]
    assert rows[1]["approved_by"] is None
    assert all(row["started_at"] <= row["finished_at"] for row in rows)
    states = {row["window_name"]: row for row in sandbox.rows("SELECT * FROM pane_states")}
    assert set(states) == {"agent:codex-ci", "quiet"}
    assert states["quiet"]["session_name"] == "other"
    assert states["quiet"]["state"] == "idle"


def test_the_fourth_stage_waits_for_its_outside_check(sandbox: Any) -> None:
    path = sandbox.plugin(
        "check_standin",
        """
        from pathlib import Path
        from tmux_sentry import CheckerPlugin, CheckResult, CheckStatus, hookimpl

        class StandIn:
            def __init__(self, context):
                pass

            def check(self, request):
                done = Path("deployed").exists()
                status = CheckStatus.SUCCESS if done else CheckStatus.PENDING
                return CheckResult(status=status, detail=request.config["repository"], next_in=0.05)

        SCHEMA = {"type": "object", "properties": {"repository": {"type": "string"}}, "additionalProperties": False}

        @hookimpl
        def tmux_sentry_checkers():
            yield CheckerPlugin(name="github_action", config_schema=SCHEMA, factory=StandIn)
        """,
    )
    sandbox.pane("agent:codex-ci")
    run = sandbox.watch(
        POLICIES / "webapp-deploy.yaml", "--once", PYTHONPATH=path, TMUX_SENTRY_DISABLED_PLUGINS="check_github"
    )
    sandbox.answer(sandbox.question("build"), "approve")
    sandbox.wait_typed("gh workflow run deploy.yml")
    run.wait_line("external check github_action started")
    assert sandbox.stages()[-1] == ("deploy", "running")
    (sandbox.work / "deployed").touch()
    assert run.end() == 0
    assert sandbox.typed() == [*NPM, "gh workflow run deploy.yml"]
    assert sandbox.stages() == [*GOOD, ("deploy", "succeeded")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_it_cleanly_in_mid_stage_and_the_same_command_goes_on(sandbox: Any, number: int) -> None:
    sandbox.pane()
    held = sandbox.hold("first")
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    sandbox.wait_typed("npm run first")
    run.wait_line("first running")
    assert run.end(number) == (130 if number == signal.SIGINT else 0)
    assert not sandbox.clients()
    assert "Traceback" not in run.output
    again = sandbox.watch(sandbox.work / "one.yaml", "--once")
    held.unlink()
    assert again.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert sandbox.stages() == [("first", "succeeded")]


# ------------------------------------------------------------------------------ kill -9


def test_killed_while_it_waits_for_the_approval_the_same_command_finishes(sandbox: Any) -> None:
    sandbox.pane("agent:codex-ci")
    run = sandbox.watch(WEBAPP)
    question = sandbox.question("build")
    run.end(signal.SIGKILL)
    again = sandbox.watch(WEBAPP, "--once")
    assert sandbox.question("build") == question
    sandbox.answer(question, "approve")
    assert again.end() == 0
    assert sandbox.typed() == NPM
    assert sandbox.stages() == GOOD
    sandbox.wait(lambda: not sandbox.clients(), "the end of what the killed one had attached")


def test_an_approval_that_was_written_while_it_was_down_counts(sandbox: Any) -> None:
    sandbox.pane("agent:codex-ci")
    run = sandbox.watch(WEBAPP)
    question = sandbox.question("build")
    run.end(signal.SIGKILL)
    sandbox.answer(question, "approve")
    assert sandbox.watch(WEBAPP, "--once").end() == 0
    assert sandbox.typed() == NPM
    assert sandbox.stages() == GOOD


@pytest.mark.parametrize("ends", ["while it is down", "after it is back"])
def test_killed_while_a_command_runs_the_command_is_not_typed_again(sandbox: Any, ends: str) -> None:
    pane = sandbox.pane()
    held = sandbox.hold("first")
    policy = sandbox.write("one.yaml", ONE)
    run = sandbox.watch(policy)
    sandbox.wait_typed("npm run first")
    run.wait_line("first running")
    run.end(signal.SIGKILL)
    if ends == "while it is down":
        held.unlink()
        sandbox.server.wait_prompt(pane)
    again = sandbox.watch(policy, "--once")
    held.unlink(missing_ok=True)
    assert again.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert sandbox.stages() == [("first", "succeeded")]


def test_killed_in_the_moment_of_every_send_each_command_is_typed_once(sandbox: Any) -> None:
    names = ["one", "two", "three", "four"]
    stages = [
        {"name": name, "timeout": "20s", "actions_on_start": [{"send_keys": f"npm run {name}"}]}
        | ({"triggers": [{"after_stage_success": before}]} if before else {})
        for before, name in zip([None, *names], names, strict=False)
    ]
    policy = {"pipelines": [{"name": "steps", "match": {"window_name": "^job$"}, "stages": stages}]}
    path = sandbox.write("steps.yaml", json.dumps(policy))
    sandbox.pane()
    for name in names:
        run = sandbox.watch(path)
        run.wait_line(f"{name} will type")
        run.end(signal.SIGKILL)
    assert sandbox.watch(path, "--once").end() == 0
    assert sandbox.typed() == [f"npm run {name}" for name in names]
    assert sandbox.stages() == [(name, "succeeded") for name in names]
    sandbox.wait(lambda: not sandbox.clients(), "the end of what the killed ones had attached")


def test_killed_again_and_again_at_any_moment_each_command_is_typed_once(sandbox: Any) -> None:
    names = [f"s{number}" for number in range(8)]
    stages = [
        {"name": name, "timeout": "60s", "actions_on_start": [{"send_keys": f"npm run {name}"}]}
        | ({"triggers": [{"after_stage_success": before}]} if before else {})
        for before, name in zip([None, *names], names, strict=False)
    ]
    policy = {"pipelines": [{"name": "steps", "match": {"window_name": "^job$"}, "stages": stages}]}
    path = sandbox.write("steps.yaml", json.dumps(policy))
    sandbox.pane()
    chance = random.Random(20261122)
    for _ in range(12):
        run = sandbox.watch(path, "--once")
        run.end_after(chance.uniform(0.0, 0.3))
    assert sandbox.watch(path, "--once").end() == 0
    assert sandbox.typed() == [f"npm run {name}" for name in names]
    assert sandbox.stages() == [(name, "succeeded") for name in names]


#: tmux, but where the trap is set, the one that sends is killed: before tmux hears of it, or before the answer.
TRAP = """\
#!{python}
import os, subprocess, sys, threading
from pathlib import Path

trap = Path({trap!r})

def springs(moment):
    if not trap.exists() or trap.read_text() != moment:
        return False
    trap.unlink()
    os.kill(int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(os.getppid())])), 9)  # a shell is between
    return True

if "-C" not in sys.argv:
    os.execvp("tmux", ["tmux", *sys.argv[1:]])
tmux = subprocess.Popen(["tmux", *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def answers():
    for line in tmux.stdout:
        if line.startswith(b"SENT") and springs("after"):
            return
        os.write(1, line)
    os._exit(0)

threading.Thread(target=answers, daemon=True).start()
for line in sys.stdin.buffer:
    if b"SENT" in line and springs("before"):
        break
    tmux.stdin.write(line)
    tmux.stdin.flush()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_in_the_middle_of_a_send_the_command_is_typed_once(sandbox: Any, moment: str) -> None:
    trap = sandbox.path / "trap"
    shim = sandbox.program("shim", TRAP.format(python=sys.executable, trap=str(trap)))
    sandbox.write("hosts.yaml", sandbox.hosts_text(command=str(shim)))
    sandbox.pane()
    policy = sandbox.write("one.yaml", ONE)
    held = sandbox.hold("first")
    trap.write_text(moment)
    assert sandbox.watch(policy, "--once").end() == -signal.SIGKILL
    if moment == "after":
        sandbox.wait_typed("npm run first")
    (intent,) = sandbox.rows("SELECT status FROM intents")
    assert intent["status"] == "intent"  # what became of it nobody had heard
    again = sandbox.watch(policy, "--once")
    again.wait_line("first running")  # which the marker tells, not the screen: the command has said nothing yet
    held.unlink()
    assert again.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert sandbox.stages() == [("first", "succeeded")]


# ------------------------------------------------------------------------- other policies


def test_the_policy_that_init_writes_works_as_it_is(sandbox: Any) -> None:
    sandbox.ok("init")
    sandbox.pane("agent:any")
    run = sandbox.watch(sandbox.work / "policies/default.yaml", "--once")
    sandbox.answer(sandbox.question("build"), "approve")
    assert run.end() == 0
    assert sandbox.typed() == NPM


def test_the_policy_that_init_writes_stops_at_an_exit_status(sandbox: Any) -> None:
    sandbox.ok("init")
    sandbox.program("npm", '#!/bin/sh\necho "npm $*" >> typed.log\n[ "$*" != test ]\n')
    sandbox.pane("agent:any")
    run = sandbox.watch(sandbox.work / "policies/default.yaml", "--once")
    assert run.end() == 1
    assert sandbox.typed() == NPM[:2]
    assert sandbox.stages() == [("lint", "succeeded"), ("test", "failed"), ("build", "skipped")]
    assert "test failed in agent:any" in run.output


def test_the_readmes_first_policy_works_as_it_is(sandbox: Any) -> None:
    found = re.search(r"```yaml\n(pipelines:\n  - name: hello\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    sandbox.pane("hello")
    run = sandbox.watch(sandbox.write("hello.yaml", found[1]), "--once")
    sandbox.answer(sandbox.question("write"), "approve")
    assert run.end() == 0
    assert (sandbox.work / "hello.txt").read_text() == "hello\n"


def test_a_stage_that_takes_too_long_is_tried_again_and_then_fails(sandbox: Any) -> None:
    sandbox.pane()
    policy = ONE.replace("timeout: 10s", "timeout: 500ms\n            retries: 1")
    sandbox.write("say-first", "nothing that decides it\n")
    run = sandbox.watch(sandbox.write("slow.yaml", policy), "--once")
    assert run.end() == 1
    assert sandbox.typed() == ["npm run first"] * 2
    assert sandbox.stages() == [("first", "timed_out"), ("first", "timed_out")]


def test_an_unreachable_host_stops_nothing_on_the_others(sandbox: Any) -> None:
    other = sandbox.hosts_text("away", socket_path=str(sandbox.path / "nothing")).partition("\n")[2]
    sandbox.write("hosts.yaml", sandbox.hosts_text() + other)
    sandbox.pane()
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    assert run.end() == 0
    assert "away: no tmux server runs there" in run.output
    assert sandbox.typed() == ["npm run first"]
    status = sandbox.run("status", "--hosts", sandbox.hosts, "--json")
    assert status.returncode == 4
    assert [host["reachable"] for host in json.loads(status.stdout)["hosts"]] == [True, False]


def test_a_pane_that_two_sessions_show_is_one_pane(sandbox: Any) -> None:
    sandbox.pane()
    sandbox.server.run("new-session", "-d", "-t", "work", "-s", "twin")
    sandbox.server.new_session("third", "empty", sandbox.shell)
    sandbox.server.run("link-window", "-s", "work:job", "-t", "third:9")
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert len(sandbox.json("status", "--hosts", sandbox.hosts)["panes"]) == 2


# ----------------------------------------------------------------------------- plugins


def test_a_broken_plugin_changes_nothing_but_its_own_line(sandbox: Any) -> None:
    before = sandbox.json("plugins")
    path = sandbox.plugin("notify_broken", "raise RuntimeError('it has been raining')")
    rows = sandbox.json("plugins", PYTHONPATH=path)
    assert [row for row in rows if row["name"] != "notify_broken"] == before
    (row,) = [row for row in rows if row["name"] == "notify_broken"]
    assert row["state"] == "broken"
    assert "it has been raining" in row["reason"]
    sandbox.pane()
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once", PYTHONPATH=path)
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]


@pytest.mark.parametrize("how", ["raise RuntimeError('no')", "raise SystemExit(3)"])
def test_a_plugin_that_makes_nothing_stops_only_who_uses_it(sandbox: Any, how: str) -> None:
    path = sandbox.plugin(
        "notify_broken",
        f"""
        from tmux_sentry import NotifierPlugin, ParserPlugin, hookimpl

        def make(context):
            {how}

        @hookimpl
        def tmux_sentry_notifiers():
            yield NotifierPlugin(name="broken", factory=make)

        @hookimpl
        def tmux_sentry_parsers():
            yield ParserPlugin(name="broken", factory=make)
        """,
    )
    sandbox.pane()
    policy = sandbox.write("one.yaml", ONE)
    run = sandbox.watch(policy, "--once", PYTHONPATH=path)
    assert run.end() == 0
    assert "plugin broken cannot be used" in run.output
    used = sandbox.run(
        "run", "--policy", policy, "--hosts", sandbox.hosts, PYTHONPATH=path, NOTIFICATION_CHANNELS="broken"
    )
    assert used.returncode == 2
    assert "notification channel broken cannot be used" in used.stderr


def test_a_plugin_gets_the_variables_it_declares_and_no_others(sandbox: Any) -> None:
    path = sandbox.plugin(
        "check_spy",
        """
        from pathlib import Path
        from tmux_sentry import CheckerPlugin, CheckResult, CheckStatus, Setting, hookimpl

        class Spy:
            def __init__(self, context):
                self.settings = dict(context.settings)

            def check(self, request):
                Path("seen").write_text(f"{sorted(self.settings)} {request.config['what']}")
                return CheckResult(status=CheckStatus.SUCCESS)

        @hookimpl
        def tmux_sentry_checkers():
            schema = {"type": "object", "properties": {"what": {"type": "string"}}, "additionalProperties": False}
            own = (Setting(name="SPY_TOKEN", description="ours", secret=True),)
            yield CheckerPlugin(name="spy", config_schema=schema, settings=own, factory=Spy)
        """,
    )
    sandbox.pane()
    policy = sandbox.write(
        "spy.yaml",
        """
        pipelines:
          - name: spied
            match: {window_name: "^job$"}
            vars: {colour: blue}
            stages:
              - name: look
                actions_on_start: [{external_check: {type: spy, what: "${stage.name} ${vars.colour}"}}]
                success_when: [{external_status: success}]
        """,
    )
    run = sandbox.watch(policy, "--once", PYTHONPATH=path, SPY_TOKEN="abcdefgh", GITHUB_TOKEN="ghp_0123456789")
    assert run.end() == 0
    assert (sandbox.work / "seen").read_text() == "['SPY_TOKEN'] look blue"


# --------------------------------------------------------------- how run ends, and dry runs


def test_once_ends_with_1_when_a_stage_fails(sandbox: Any) -> None:
    sandbox.pane()
    sandbox.write("say-first", '@@SENTRY {"type":"STATUS","stage":"first","ok":false,"message":"3 problems"}\n')
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    assert run.end() == 1
    assert sandbox.stages() == [("first", "failed")]


@pytest.mark.parametrize(("answer", "code"), [("approve", 0), ("reject", 1)])
def test_once_says_the_same_again_when_everything_has_ended_before(sandbox: Any, answer: str, code: int) -> None:
    sandbox.pane()
    policy = sandbox.write("ask.yaml", ASK)
    run = sandbox.watch(policy, "--once")
    sandbox.answer(sandbox.question("first"), answer)
    sandbox.wait(lambda: sandbox.typed(), "the keys")
    assert run.end() == code
    typed = sandbox.typed()
    again = sandbox.watch(policy, "--once")
    assert again.end() == code
    assert "has already run here" in again.output
    assert sandbox.typed() == typed


def test_once_ends_with_1_and_says_so_when_no_pane_matches(sandbox: Any) -> None:
    sandbox.pane("something else")
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    assert run.end() == 1
    assert "no pane starts a run" in run.output


def test_a_dry_run_says_what_it_would_type_first_and_touches_nothing(sandbox: Any) -> None:
    pane = sandbox.pane()
    done = sandbox.run(
        "run", "--hosts", sandbox.hosts, "--policy", sandbox.write("one.yaml", ONE), "--dry-run", "--once", timeout=20
    )
    assert done.returncode == 0, done.stderr
    assert "first would type: npm run first<Enter>" in done.stderr
    assert sandbox.typed() == []
    assert sandbox.server.screen(pane) == "$"
    assert not options(sandbox, "-p", "-t", pane)
    assert not sandbox.home.exists()


def test_plugins_names_the_whole_set_of_the_run(sandbox: Any) -> None:
    sandbox.pane()
    policy = sandbox.write("one.yaml", ONE)
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--plugins", "notify_stdot")
    assert done.returncode == 2
    assert "no plugin named notify_stdot" in done.stderr
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", policy, "--plugins", "parser_sentry", timeout=10)
    assert done.returncode == 2
    assert "there is no notification channel stdout" in done.stderr
    run = sandbox.watch(policy, "--once", "--plugins", "parser_sentry", NOTIFICATION_CHANNELS="")
    assert run.end() == 0


# -------------------------------------------------------------------------- answers


def request_id(sandbox: Any) -> str:
    sandbox.question("first")
    (request,) = sandbox.json("approvals")
    return request["id"]  # type: ignore[no-any-return]


def test_a_rejection_by_file_keeps_its_reason_and_types_nothing_of_the_stage(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), "--once")
    sandbox.answer(sandbox.question("first"), "reject not on a Friday")
    assert run.end() == 1
    assert sandbox.typed() == ["npm run sorry"]
    assert sandbox.stages() == [("first", "rejected"), ("sorry", "succeeded")]
    (row, _) = sandbox.rows("SELECT * FROM stage_history ORDER BY id")
    assert "not on a Friday" in row["reason"]


def test_a_rejection_at_the_terminal_keeps_its_comment(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), "--once")
    said = sandbox.ok("reject", request_id(sandbox), "--comment", "not today")
    assert "rejected" in said
    assert run.end() == 1
    assert sandbox.typed() == ["npm run sorry"]
    assert "not today" in sandbox.rows("SELECT reason FROM stage_history ORDER BY id")[0]["reason"]


def test_an_approval_at_the_terminal_goes_to_the_running_instance(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK), "--once")
    request = request_id(sandbox)
    assert "approved" in sandbox.ok("approve", request[:6])
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]
    again = sandbox.run("reject", request)
    assert again.returncode == 1
    assert "too late" in again.stdout
    unknown = sandbox.run("approve", "zzz")
    assert unknown.returncode == 2
    assert "no approval request zzz" in unknown.stderr


def test_an_approval_at_the_terminal_counts_while_nothing_runs(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK))
    request = request_id(sandbox)
    run.end(signal.SIGINT)
    assert "approved" in sandbox.ok("approve", request)
    assert sandbox.typed() == []
    assert sandbox.json("approvals") == []
    assert sandbox.watch(sandbox.work / "ask.yaml", "--once").end() == 0
    assert sandbox.typed() == ["npm run first"]


# ------------------------------------------------------------------------ runs by hand


def test_a_failed_run_is_listed_and_tried_again(sandbox: Any) -> None:
    sandbox.pane()
    bad = sandbox.write("say-first", '@@SENTRY {"type":"STATUS","ok":false}\n')
    run = sandbox.watch(sandbox.write("one.yaml", ONE))
    run.wait_line("run failed")
    assert sandbox.json("runs", "list") == []
    (row,) = sandbox.json("runs", "list", "--all")
    assert (row["pipeline"], row["status"]) == ("single", "failed")
    bad.unlink()
    assert "single on here: open" in sandbox.ok("runs", "retry", row["id"])
    run.wait_line("run succeeded")
    assert sandbox.typed() == ["npm run first"] * 2
    assert sandbox.stages() == [("first", "failed"), ("first", "succeeded")]


def test_a_cancelled_run_ends_and_leaves_the_command_alone(sandbox: Any) -> None:
    sandbox.pane()
    held = sandbox.hold("first")
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    run.wait_line("first running")
    (row,) = sandbox.json("runs", "list")
    assert "cancelled" in sandbox.ok("runs", "cancel", row["id"])
    assert run.end() == 1
    assert sandbox.stages() == [("first", "cancelled")]
    assert sandbox.server.show("%0", "#{pane_current_command}") != "bash"  # nobody stopped it
    held.unlink()


BUSY = """
    pipelines:
      - name: busy
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 3s
            actions_on_start: [{send_keys: {text: "npm run first", wait_idle: 500ms}}]
"""


@pytest.mark.parametrize(
    ("options", "typed", "status"),
    [
        (["RUN", "--send"], ["npm run first"], "succeeded"),
        (["--all", "--send"], ["npm run first"], "succeeded"),
        (["RUN", "--skip"], ["npm first"], "succeeded"),  # what the person has typed
        (["RUN", "--abort"], [], "failed"),
    ],
    ids=["send", "all", "skip", "abort"],
)
def test_a_held_stage_waits_for_a_person(sandbox: Any, options: list[str], typed: list[str], status: str) -> None:
    pane = sandbox.pane()
    busy = sandbox.hold("busy")
    sandbox.server.send(pane, "npm busy", "Enter")
    sandbox.wait_typed("npm busy")
    run = sandbox.watch(sandbox.write("busy.yaml", BUSY), "--once")
    run.wait_line("first held: pane busy")
    (row,) = sandbox.json("runs", "list")
    assert "pane busy" in row["held"]
    busy.unlink()
    sandbox.server.wait_prompt(pane)
    sandbox.ok("runs", "resume", *(row["id"] if word == "RUN" else word for word in options))
    if "--skip" in options:
        run.wait_line("first running")
        sandbox.server.send(pane, "npm first", "Enter")
    assert run.end() == (0 if status == "succeeded" else 1)
    assert sandbox.typed() == ["npm busy", *typed]
    assert sandbox.stages() == [("first", status)]


def test_a_pipeline_is_started_again_by_hand(sandbox: Any) -> None:
    pane = sandbox.pane()
    policy = sandbox.write("one.yaml", ONE)
    run = sandbox.watch(policy)
    run.wait_line("run succeeded")
    sandbox.ok("runs", "start", "single", pane)
    run.wait_line("run succeeded", times=2)
    run.end(signal.SIGINT)
    assert sandbox.typed() == ["npm run first"] * 2
    # With no instance running the order is written down, and the next one carries it out.
    refused = sandbox.run("runs", "start", "single", "work:job.0", "--hosts", sandbox.hosts)
    assert refused.returncode == 2
    assert "add --policy FILE" in refused.stderr
    sandbox.ok("runs", "start", "single", "work:job.0", "--hosts", sandbox.hosts, "--policy", policy)
    assert sandbox.watch(policy, "--once").end() == 0
    assert sandbox.typed() == ["npm run first"] * 3


MANUAL = """
    pipelines:
      - name: by-hand
        match: {window_name: "^job$"}
        stages:
          - name: first
            actions_on_start: [{send_keys: "npm run first"}]
          - name: extra
            triggers: [manual]
            actions_on_start: [{send_keys: "npm run extra"}]
"""


def test_a_stage_is_started_by_hand(sandbox: Any) -> None:
    sandbox.pane()
    run = sandbox.watch(sandbox.write("manual.yaml", MANUAL))
    run.wait_line("first succeeded")
    (row,) = sandbox.json("runs", "list", "--all")
    wrong = sandbox.run("stage", "start", row["id"], "extras")
    assert wrong.returncode == 2
    assert "no stage extras" in wrong.stderr
    sandbox.ok("stage", "start", row["id"][:-2], "extra")
    run.wait_line("extra succeeded")
    assert sandbox.typed() == ["npm run first", "npm run extra"]


# ------------------------------------------------------------------------ pause and send


@pytest.mark.parametrize("how", ["pause", "pause PANE", "tmux set -g"])
def test_nothing_is_typed_while_sending_is_paused(sandbox: Any, how: str) -> None:
    pane = sandbox.pane()
    target = [pane] if how == "pause PANE" else []
    if how == "tmux set -g":
        sandbox.server.run("set", "-g", "@sentry_hold", "1")
    else:
        assert "paused" in sandbox.ok("pause", *target, "--hosts", sandbox.hosts)
    run = sandbox.watch(sandbox.write("one.yaml", ONE), "--once")
    run.wait_line("paused")
    sent = sandbox.run("send", pane, "npm run by-hand", "--hosts", sandbox.hosts)  # tries for two seconds
    assert sent.returncode == 3
    assert "paused" in sent.stderr
    assert sandbox.typed() == []
    sandbox.ok("unpause", *target, "--hosts", sandbox.hosts)
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]


@pytest.mark.parametrize("running", [True, False], ids=["through run", "alone"])
def test_send_types_once_and_refuses_while_someone_types(sandbox: Any, running: bool) -> None:
    pane = sandbox.pane()
    if running:
        sandbox.watch(sandbox.write("other.yaml", ONE.replace("^job$", "^nothing$")))
    assert f"sent to here work:job.0 {pane}" in sandbox.ok("send", pane, "npm run by-hand", "--hosts", sandbox.hosts)
    sandbox.wait_typed("npm run by-hand")
    sandbox.server.wait_prompt(pane)
    sandbox.server.send(pane, "npm run half")
    sandbox.wait(lambda: sandbox.server.screen(pane).endswith("$ npm run half"), "the half line")
    refused = sandbox.run("send", "work:job.0", "npm run other", "--hosts", sandbox.hosts)
    assert refused.returncode == 3
    assert "someone is typing" in refused.stderr
    assert sandbox.server.screen(pane).endswith("$ npm run half")
    assert sandbox.typed() == ["npm run by-hand"]
    unknown = sandbox.run("send", "%99", "npm run other", "--hosts", sandbox.hosts)
    assert unknown.returncode == 2
    assert "no pane %99" in unknown.stderr


def test_a_send_that_waits_is_called_off_by_ctrl_c(sandbox: Any) -> None:
    pane = sandbox.pane()
    run = sandbox.watch(sandbox.write("other.yaml", ONE.replace("^job$", "^nothing$")))
    busy = sandbox.hold("busy")
    sandbox.server.send(pane, "npm busy", "Enter")
    sandbox.wait_typed("npm busy")
    send = sandbox.start("send", pane, "npm run late", "--when", "idle", "--hosts", sandbox.hosts)
    run.wait_line("waiting to type")
    assert send.end(signal.SIGINT) == 130
    busy.unlink()
    sandbox.server.wait_prompt(pane)
    # Whatever still waited would type before this, which asks for the same.
    sandbox.ok("send", pane, "npm run after", "--when", "idle", "--hosts", sandbox.hosts)
    sandbox.wait_typed("npm run after")
    assert sandbox.typed() == ["npm busy", "npm run after"]


def test_a_pane_that_is_opened_later_starts_its_run(sandbox: Any) -> None:
    sandbox.pane("elsewhere")
    run = sandbox.watch(sandbox.write("one.yaml", ONE))
    sandbox.server.run("new-window", "-n", "job", sandbox.shell)
    run.wait_line("run succeeded")
    assert sandbox.typed() == ["npm run first"]


def test_people_are_told_of_the_agent_states_that_the_hosts_file_names(sandbox: Any) -> None:
    pane = sandbox.pane("nobody-matches")
    hosts = sandbox.hosts_text() + "    watch: {notify: [waiting]}\n"
    sandbox.hosts = sandbox.write("hosts.yaml", hosts)
    run = sandbox.watch(sandbox.write("one.yaml", ONE))
    for state in ("working", "waiting"):
        sandbox.server.send(pane, f"""echo '@@SENTRY {{"type":"STATE","state":"{state}","id":"{state}"}}'""", "Enter")
    run.wait_line("the agent is waiting")
    assert "the agent is working" not in run.output


# ------------------------------------------------------------------------------ listings


def test_the_json_of_every_listing_has_the_documented_keys(sandbox: Any) -> None:
    pane = sandbox.pane()
    run = sandbox.watch(sandbox.write("ask.yaml", ASK))
    question = sandbox.question("first")
    (request,) = sandbox.json("approvals")
    assert {
        "id", "pipeline", "stage", "host", "pane_id", "keys", "digest", "created_at", "expires_at", "file",
    } <= set(request)  # fmt: skip
    assert request["keys"] == ["npm run first<Enter>"]
    assert request["file"] == str(question)
    assert (request["pane_id"], request["host"]) == (pane, "here")

    status = sandbox.json("status", "--hosts", sandbox.hosts)
    assert set(status) == {"hosts", "panes", "held", "observe_only", "channels"}
    assert status["held"] == []
    (host,) = status["hosts"]
    assert {"name", "reachable", "tmux_version", "sessions", "panes", "error"} <= set(host)
    assert (host["name"], host["reachable"], host["sessions"], host["panes"], host["error"]) == (
        "here",
        True,
        1,
        1,
        None,
    )
    (row,) = status["panes"]
    assert {
        "host", "pane_id", "session_name", "window_name", "agent", "state", "pipeline", "stage",
    } <= set(row)  # fmt: skip
    assert (row["window_name"], row["pipeline"], row["stage"]) == ("job", "asking", "first")

    sandbox.answer(question, "approve")
    run.wait_line("first succeeded")
    (stage,) = sandbox.json("history", "--pipeline", "asking", "--host", "here", "--limit", "1")
    assert {
        "id", "run_id", "host", "pane_id", "pipeline", "stage", "attempt", "status", "reason", "started_at",
        "finished_at", "approved_by",
    } <= set(stage)  # fmt: skip
    assert sandbox.json("history", "--pipeline", "another") == []
    for plugin in sandbox.json("plugins"):
        assert {"name", "kind", "distribution", "version", "state", "reason"} <= set(plugin)
    assert "first" in sandbox.ok("history")


def test_check_lists_the_panes_that_each_pipeline_would_take(sandbox: Any) -> None:
    pane = sandbox.pane()
    said = sandbox.ok("check", "--policy", sandbox.write("one.yaml", ONE), "--hosts", sandbox.hosts)
    assert "ok: 1 pipeline, 1 stage" in said
    (row,) = [line for line in said.splitlines() if "work:job.0" in line]
    assert row.split()[:3] == ["single", "here", pane]
    assert "would start a run" in row


def test_check_knows_what_a_pane_has_run_already(sandbox: Any) -> None:
    sandbox.pane()
    policy = sandbox.write("one.yaml", ONE)
    sandbox.ok("run", "--hosts", sandbox.hosts, "--policy", policy, "--once")
    said = sandbox.ok("check", "--policy", policy, "--hosts", sandbox.hosts)
    assert "would start a run" not in said
    assert "has already run here" in said


# ------------------------------------------------------------------------ around the job


def test_init_writes_examples_and_keeps_what_is_there(sandbox: Any) -> None:
    first = sandbox.ok("init", sandbox.work / "new")
    new = sandbox.work / "new"
    made = ["configs/hosts.example.yaml", "policies/default.yaml", ".env.example", "tmux-sentry.service"]
    assert all((new / name).is_file() for name in made)
    modes = {
        new / ".env.example": 0o600,
        sandbox.home: 0o700,
        sandbox.home / "approvals": 0o700,
        sandbox.home / "master.key": 0o600,
    }
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in modes} == modes
    (new / "policies/default.yaml").write_text("pipelines: []\n")
    key = (sandbox.home / "master.key").read_text()
    second = sandbox.ok("init", new)
    assert first.count("wrote") == len(made)
    assert second.count("kept") == len(made) + 1
    assert (new / "policies/default.yaml").read_text() == "pipelines: []\n"
    assert (sandbox.home / "master.key").read_text() == key


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_a_script_of_that_shell(sandbox: Any, shell: str) -> None:
    script = sandbox.ok("completions", shell)
    assert f"{shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("options", [["--yes"], []], ids=["yes", "no terminal"])
def test_the_demo_approves_succeeds_and_leaves_nothing_behind(sandbox: Any, options: list[str]) -> None:
    directory = sandbox.server.directory / "tmp"
    directory.mkdir()
    said = sandbox.ok("demo", *options, TMPDIR=str(directory), timeout=60)
    assert [line.split()[:2] for line in said.splitlines() if " succeeded " in line] == [
        [stage, "succeeded"] for stage in ("lint", "test", "build", "deploy")
    ]
    assert ("no terminal to ask on" in said) is not bool(options)
    assert list(directory.iterdir()) == []
    assert list((sandbox.path / "user").iterdir()) == []
    assert not sandbox.home.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(directory) not in processes
