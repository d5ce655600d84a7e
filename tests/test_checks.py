"""External checks in the running program: by hand, on the way, over a restart, at their deadline."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

#: Answers what answer.json says, and writes down what it was asked.
STANDIN = """
    import json
    from pathlib import Path
    from tmux_sentry import CheckerPlugin, CheckResult, CheckStatus, Setting, hookimpl

    class StandIn:
        def __init__(self, context):
            pass

        def check(self, request):
            if request.config["job"] == "host":
                done = request.host.run(["sh", "-c", "echo from $0", request.host.name])
                return CheckResult(status=CheckStatus.SUCCESS, detail=done.stdout.decode())
            if not request.memory:
                request.remember({"started": 1})
                with open("effects.log", "a") as file:
                    file.write("started\\n")
            asked = {"id": request.id, "typed": request.typed, "memory": dict(request.memory)}
            asked |= {"job": request.config["job"], "age": request.now - request.started_at}
            with open("asked.log", "a") as file:
                file.write(json.dumps(asked) + "\\n")
            answer = json.loads(Path("answer.json").read_text())
            return CheckResult(status=CheckStatus(answer.pop("status")), **{"next_in": 0.05, **answer})

    SCHEMA = {
        "$id": "urn:standin",
        "type": "object",
        "required": ["job"],
        "properties": {"job": {"type": "string"}, "number": {"type": "integer"}},
    }

    @hookimpl
    def tmux_sentry_checkers():
        yield CheckerPlugin(name="standin", description="a stand-in", config_schema=SCHEMA, factory=StandIn)
"""
POLICY = """
    pipelines:
      - name: deploy
        match: {window_name: "^job$"}
        stages:
          - name: ship
            actions_on_start:
              - send_keys: "npm run ship"
              - external_check: {type: standin, job: "nightly ${run.id}", max_wait: MAX}
            success_when: [{external_status: success}]
"""


class Room:
    """A sandbox with the stand-in for a service."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.path = sandbox.plugin("check_standin", STANDIN)
        self.says("pending")

    def says(self, status: str, **more: Any) -> None:
        """What the service answers from now on."""
        path: Path = self.sandbox.work / "answer.json.new"
        path.write_text(json.dumps({"status": status, **more}))
        path.replace(self.sandbox.work / "answer.json")

    def asked(self) -> list[Mapping[str, Any]]:
        """What the checker was asked; the last line may still be on its way."""
        path = self.sandbox.work / "asked.log"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def test(self, *args: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self.sandbox.run("checks", "test", *args, PYTHONPATH=self.path)
        return done

    def watch(self, *options: str, max_wait: str = "10m") -> Any:
        policy = self.sandbox.write("p.yaml", POLICY.replace("MAX", max_wait))
        return self.sandbox.watch(policy, *options, PYTHONPATH=self.path)


@pytest.fixture
def room(sandbox: Any) -> Room:
    return Room(sandbox)


# ----------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("status", "code"), [("success", 0), ("pending", 0), ("needs_attention", 1), ("failure", 1), ("unknown", 1)]
)
def test_one_question_by_hand_prints_what_was_seen(room: Room, status: str, code: int) -> None:
    room.says(status, detail="step 3\x1b[2J", url="https://ci/7", percent=43.0, log_tail="one\ntwo\x07")
    done = room.test("standin", "job=nightly")
    assert done.returncode == code
    assert done.stdout == (
        f"{status.replace('_', ' ')}: step 3\nprogress: 43 %\nlink: https://ci/7\nlog:\n  one\n  two\ufffd\n"
    )
    assert json.loads(room.test("standin", "job=nightly", "--json").stdout) == {
        "status": status,
        "detail": "step 3\x1b[2J",
        "url": "https://ci/7",
        "percent": 43.0,
        "log_tail": "one\ntwo\x07",
        "next_in": 0.05,
        "memory": {"started": 1},
    }


def test_it_waits_for_the_final_answer_where_it_is_told_to(room: Room) -> None:
    process = room.sandbox.start("checks", "test", "standin", "job=x", "--wait", "1m", PYTHONPATH=room.path)
    room.sandbox.wait(lambda: len(room.asked()) > 1, "a second question")
    room.says("success", detail="done")
    assert process.end() == 0
    assert process.lines == ["success: done"]
    first, *others = room.asked()
    assert [first["memory"], others[0]["memory"]] == [{}, {"started": 1}]
    assert {first["id"]} == {asked["id"] for asked in others}
    room.says("pending", detail="still")
    assert room.test("standin", "job=x", "--wait", "100ms").returncode == 1
    assert room.asked()[-1]["id"] != first["id"]


def test_what_a_stage_would_have_typed_and_when_can_be_said(room: Room) -> None:
    room.test("standin", "job=x", "--typed", "one", "--typed", "two", "--since", "10m")
    (asked,) = room.asked()
    assert asked["typed"] == ["one", "two"]
    assert 600 <= asked["age"] < 660


def test_a_check_by_hand_can_be_on_a_host(room: Room) -> None:
    args = ("standin", "job=host", "--host")
    done = room.test(*args, "here", "--hosts", str(room.sandbox.hosts))
    assert (done.returncode, done.stdout) == (0, "success: from here\n")
    refused = room.test(*args, "there", "--hosts", str(room.sandbox.hosts))
    assert refused.returncode == 2
    assert "no host there" in refused.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["standin"], "argument:1:1: top level: 'job' is missing"),
        (["standin", "job=x", "jbo=y"], "argument:3:1: jbo: unknown key 'jbo'"),
        (["standin", "job=x", "number=many"], "argument:3:9: number: must be a whole number, not 'many'"),
        (["standin", "job"], "'job' is not KEY=VALUE"),
        (["standin", "job=[unclosed"], "argument:2:"),
        (["standin", "job=x", "job=y"], "argument:3:1"),
        (["standing", "job=x"], "unknown check type 'standing'"),
        (["standin", "job=x", "--wait", "soon"], "--wait 'soon' is no duration"),
        (["standin", "a\nb=c"], "is not KEY=VALUE"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said(room: Room, args: list[str], said: str) -> None:
    done = room.test(*args)
    assert done.returncode == 2
    assert said in done.stderr
    assert not room.asked()


def test_what_the_checker_itself_finds_wrong_is_said_at_its_argument(sandbox: Any) -> None:
    done = sandbox.run("checks", "test", "http", "url=http://127.0.0.1:1/", "success_when=a ==")
    assert done.returncode == 2
    assert "argument:3:15: success_when: " in done.stderr


# -------------------------------------------------------------------------- on the way


def test_progress_is_in_status_in_the_log_and_in_the_table(room: Room) -> None:
    sandbox = room.sandbox
    pane = sandbox.pane()
    run = room.watch("--once")
    room.says("pending", detail="step 3 of 7", percent=43.0)
    run.wait_line("external check: 43% step 3 of 7")
    (row,) = [row for row in sandbox.json("status", "--hosts", sandbox.hosts)["panes"] if row["pane_id"] == pane]
    assert (row["check"], row["percent"], row["progress"]) == ("pending", 43.0, "43% step 3 of 7")
    assert "43% step 3 of 7" in sandbox.ok("status", "--hosts", sandbox.hosts)
    sandbox.wait(
        lambda: sandbox.rows("SELECT last_signal FROM pane_states")[0]["last_signal"] == "PROGRESS 43% step 3 of 7",
        "the signal in pane_states",
    )
    room.says("needs_attention", detail="production waits for a review")
    run.wait_line("WARNING deploy (here work:job.0 %0): external check: needs attention production waits")
    room.says("success", detail="done")
    assert run.end() == 0
    assert "PROGRESS" not in sandbox.ok("status", "--hosts", sandbox.hosts)
    (asked, *_) = room.asked()
    assert asked["typed"] == ["npm run ship"]
    assert asked["job"] == f"nightly {asked['id'].partition('/')[0]}"  # a variable in a key of the check


def test_a_bar_on_a_terminal_stays_below_the_log(room: Room) -> None:
    sandbox = room.sandbox
    sandbox.pane()
    policy = sandbox.write("p.yaml", POLICY.replace("MAX", "10m"))
    room.says("pending", detail="step 3 of 7", percent=50.0)
    ours, theirs = pty.openpty()
    argv = [*sandbox.command, "run", "--hosts", sandbox.hosts, "--policy", policy, "--once"]
    env = sandbox.env(PYTHONPATH=room.path, TERM="xterm", COLUMNS="100")
    process = subprocess.Popen(
        list(map(str, argv)), cwd=sandbox.work, env=env, stderr=theirs, stdout=theirs, stdin=theirs
    )
    os.close(theirs)
    try:
        bar = "deploy ship ██████████░░░░░░░░░░ 50% step 3 of 7"
        shown = read_until(ours, bar)
        room.says("success", detail="done")
        shown += read_until(ours, "ship succeeded")
        assert process.wait(20) == 0
        # A line of the log takes the place of the bar, which comes back below it; at the end it is gone.
        assert f"\r\x1b[K{bar}" in shown
        assert all(part.startswith("\r\x1b[K") or not part for part in shown.split(bar)[1:])
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, text: str) -> str:
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 65536).decode("utf-8", "replace")
    return shown


# -------------------------------------------------------------------- restarts, deadlines


def test_after_a_kill_the_check_goes_on_with_what_it_remembered(room: Room) -> None:
    sandbox = room.sandbox
    sandbox.pane()
    run = room.watch("--once")
    sandbox.wait(lambda: len(room.asked()) > 1, "a second question")
    run.end(signal.SIGKILL)
    before = room.asked()
    again = room.watch("--once")
    sandbox.wait(lambda: len(room.asked()) > len(before), "a question after the restart")
    first, new = before[0], room.asked()[len(before)]
    assert new["id"] == first["id"]
    assert new["job"] == first["job"]
    assert new["memory"] == {"started": 1}
    room.says("success")
    assert again.end() == 0
    assert (sandbox.work / "effects.log").read_text() == "started\n"
    assert sandbox.typed() == ["npm run ship"]


def test_at_its_deadline_the_stage_fails_with_what_was_seen_last(room: Room) -> None:
    sandbox = room.sandbox
    sandbox.pane()
    room.says("pending", detail="waits for a runner")
    run = room.watch("--once", max_wait="700ms")
    assert run.end() == 1
    (row,) = sandbox.rows("SELECT status, reason FROM stage_history")
    assert row["status"] == "timed_out"
    assert row["reason"] == "the external check did not finish in its max_wait: waits for a runner"


def test_a_check_that_ended_before_its_deadline_counts_though_nobody_had_asked_since(room: Room) -> None:
    sandbox = room.sandbox
    sandbox.pane()
    room.says("pending", next_in=3600.0)
    run = room.watch("--once", max_wait="3s")
    sandbox.wait(lambda: len(room.asked()) == 1, "the first question")
    room.says("success")
    assert run.end() == 0
    assert len(room.asked()) == 2


def test_a_check_that_ended_while_nothing_ran_counts_though_its_deadline_has_passed(room: Room) -> None:
    sandbox = room.sandbox
    sandbox.pane()
    run = room.watch("--once", max_wait="5s")
    sandbox.wait(lambda: len(room.asked()) > 0, "a question")
    run.end(signal.SIGKILL)
    room.says("success")
    deadline = sandbox.rows("SELECT strftime('%s', started_at) AS at FROM stage_history")[0]
    sandbox.wait(lambda: time.time() > float(deadline["at"]) + 6.0, "the deadline")
    assert room.watch("--once", max_wait="5s").end() == 0
