"""What goes wrong in real life: each has a clear message, an exit status, and nothing typed where it should not be."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.config.settings import load_settings
from tmux_sentry.errors import UsageError

TWO = """
    pipelines:
      - name: pair
        match: {window_name: "^job$"}
        stages:
          - name: first
            timeout: 10s
            actions_on_start: [{send_keys: "npm run first"}]
          - name: second
            triggers: [{after_stage_success: first}]
            timeout: 10s
            actions_on_start: [{send_keys: "npm run second"}]
"""
ASK = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval: true
            timeout: 10s
            actions_on_start: [{send_keys: "npm run first"}]
"""
BOTH = ["npm run first", "npm run second"]


@pytest.fixture
def two(sandbox: Any) -> Path:
    return sandbox.write("two.yaml", TWO)  # type: ignore[no-any-return]


@pytest.fixture
def ask(sandbox: Any) -> Path:
    return sandbox.write("ask.yaml", ASK)  # type: ignore[no-any-return]


# -------------------------------------------------------------------- no tmux to talk to


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["status"], 4),
        (["run", "--once", "--policy", "two.yaml"], 4),
        (["check", "--policy", "two.yaml"], 4),
        (["send", "%0", "ls"], 4),
        (["pause"], 4),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize(
    ("case", "what"),
    [
        ("no tmux", "here: there is no no-such-tmux program"),
        ("old tmux", "here: tmux 2.3 is too old"),
        ("no server", "here: no tmux server runs there"),
    ],
)
def test_a_tmux_that_cannot_be_used_is_named(
    sandbox: Any, two: Path, case: str, what: str, command: list[str], code: int
) -> None:
    if case == "no tmux":
        sandbox.write("hosts.yaml", sandbox.hosts_text(command="no-such-tmux"))
    elif case == "old tmux":
        old = sandbox.program("old-tmux", "#!/bin/sh\necho tmux 2.3\n")
        sandbox.write("hosts.yaml", sandbox.hosts_text(command=str(old)))
    done = sandbox.run(*command, "--hosts", sandbox.hosts)
    assert done.returncode == code, done.stderr
    assert what in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["demo"])
def test_the_demo_needs_tmux(sandbox: Any, command: str) -> None:
    done = sandbox.run(command, PATH=str(sandbox.path / "user"))
    assert done.returncode == 4
    assert "there is no tmux program" in done.stderr
    assert "install tmux 3.2 or later" in done.stderr


def test_run_waits_for_a_tmux_server_that_starts_later(sandbox: Any, two: Path) -> None:
    run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", two)
    run.wait_line("no tmux server runs there")
    sandbox.pane()
    run.wait_line("run succeeded")
    assert sandbox.typed() == BOTH


# ----------------------------------------------------------------------- files of settings


def test_an_env_file_that_others_can_read_is_warned_about(sandbox: Any, two: Path) -> None:
    env = sandbox.write(".env", "APPROVAL_SECRET=0123456789012345678901234567890123456789\n")
    env.chmod(0o644)
    done = sandbox.run("check", "--policy", two, "--env-file", env)
    assert done.returncode == 0
    assert f"others can read the secrets in {env}: chmod 600 {env}" in done.stderr
    assert "0123456789" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("case", "code", "what", "fix"),
    [
        ("writable", 3, "is refused", "chmod 600"),
        ("directory", 2, "cannot be read", ""),
        ("missing", 2, "cannot be read", ""),
    ],
)
@pytest.mark.parametrize("option", ["--env-file", "--hosts"])
def test_a_file_that_cannot_be_trusted_stops_it(
    sandbox: Any, two: Path, option: str, case: str, code: int, what: str, fix: str
) -> None:
    path = sandbox.work / "odd"
    if case == "writable":
        path.write_text("LOG_LEVEL=INFO\n")
        path.chmod(0o666)
    elif case == "directory":
        path.mkdir()
    done = sandbox.run("run", "--policy", two, option, path)
    assert done.returncode == code, done.stderr
    assert what in done.stderr
    assert fix in done.stderr
    assert not (sandbox.home / "state.db").exists()


@contextmanager
def nobody() -> Iterator[None]:
    """Root reads everything, so root becomes somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_env_file_that_cannot_be_read_says_how_to_change_that(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("LOG_LEVEL=INFO\n")
    path.chmod(0)
    with nobody(), pytest.raises(UsageError, match="cannot be read") as raised:
        load_settings({"HOME": str(tmp_path)}, path)
    assert raised.value.lines()[1:] == ["Permission denied", f"chmod u+r {path}"]


# ---------------------------------------------------------------------- one home, one writer


def test_a_second_instance_is_refused_and_told_who_runs(sandbox: Any, ask: Path) -> None:
    sandbox.pane()
    run = sandbox.watch(ask)
    question = sandbox.question()
    second = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", ask)
    assert second.returncode == 3
    assert f"another tmux-sentry (pid {run.pid} " in second.stderr
    assert "stop that one first" in second.stderr
    sandbox.answer(question, "approve")  # the first goes on
    run.wait_line("run succeeded")
    assert sandbox.typed() == ["npm run first"]


def test_a_home_that_cannot_be_made_is_named(sandbox: Any, two: Path) -> None:
    blocked = sandbox.write("file", "") / "home"
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", two, TMUX_SENTRY_HOME=str(blocked))
    assert done.returncode == 1
    assert f"cannot make the directory {blocked}" in done.stderr
    assert "TMUX_SENTRY_HOME" in done.stderr


def test_init_names_a_directory_that_it_cannot_write(sandbox: Any) -> None:
    done = sandbox.run("init", sandbox.write("file", "") / "here")
    assert done.returncode == 1
    assert f"cannot write {sandbox.work / 'file' / 'here' / 'configs' / 'hosts.example.yaml'}" in done.stderr


def test_a_home_that_others_can_write_to_is_refused(sandbox: Any, two: Path) -> None:
    sandbox.home.mkdir()
    sandbox.home.chmod(0o777)
    done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", two)
    assert done.returncode == 3
    assert f"chmod go-w {sandbox.home}" in done.stderr


# ------------------------------------------------------------------- which pane, which pipeline


def test_of_two_pipelines_for_one_pane_the_first_runs_and_the_other_is_named(sandbox: Any) -> None:
    sandbox.pane()
    other = TWO.replace("pipelines:", "").replace("name: pair", "name: late").replace("npm run", "npm late")
    run = sandbox.watch(sandbox.write("both.yaml", TWO + other), "--once")
    assert run.end() == 0
    assert sandbox.typed() == BOTH
    assert "late (here work:job.0 %0): an earlier pipeline takes this pane (pair)" in run.output


@pytest.mark.parametrize("panes", ["one", "each"])
def test_two_panes_of_one_window_start_only_when_the_policy_says_each(sandbox: Any, panes: str) -> None:
    pane = sandbox.pane()
    other = sandbox.server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", pane, sandbox.shell)
    sandbox.server.wait_prompt(other)
    text = TWO.replace("        stages:", f"        panes: {panes}\n        stages:")
    run = sandbox.watch(sandbox.write("panes.yaml", text), "--once")
    assert run.end() == (0 if panes == "each" else 1)
    assert sorted(sandbox.typed()) == ([] if panes == "one" else sorted(BOTH * 2))
    assert ("several panes of one window match" in run.output) is (panes == "one")


# --------------------------------------------------------------------------- in mid-stage


def test_a_pane_that_dies_in_mid_stage_fails_it(sandbox: Any, two: Path) -> None:
    pane = sandbox.pane()
    sandbox.server.new_session("other", "keeps the server", sandbox.shell)
    sandbox.hold("first")
    run = sandbox.watch(two, "--once")
    run.wait_line("first running")
    sandbox.server.run("kill-pane", "-t", pane)
    assert run.end() == 1
    assert sandbox.stages() == [("first", "failed"), ("second", "skipped")]
    assert "the pane is gone" in sandbox.rows("SELECT reason FROM stage_history ORDER BY id")[0]["reason"]


def test_a_window_that_is_renamed_in_mid_stage_keeps_its_run(sandbox: Any, two: Path) -> None:
    pane = sandbox.pane()
    held = sandbox.hold("first")
    run = sandbox.watch(two, "--once")
    run.wait_line("first running")
    sandbox.server.run("rename-window", "-t", pane, "something else")
    sandbox.wait(lambda: sandbox.rows("SELECT 1 FROM pane_states WHERE window_name = 'something else'"), "its new name")
    held.unlink()
    assert run.end() == 0
    assert sandbox.typed() == BOTH


def test_what_a_person_has_half_typed_is_neither_submitted_nor_removed(sandbox: Any, two: Path) -> None:
    pane = sandbox.pane()
    sandbox.server.send(pane, "npm run mine")
    sandbox.wait(lambda: sandbox.server.screen(pane) == "$ npm run mine", "the half line")
    run = sandbox.watch(two, "--once")
    run.wait_line("someone is typing")
    assert sandbox.server.screen(pane) == "$ npm run mine"
    assert sandbox.typed() == []
    sandbox.server.send(pane, "", "C-u")  # the person thinks better of it
    assert run.end() == 0
    assert sandbox.typed() == BOTH


def test_a_pane_in_which_a_person_reads_back_is_left_alone_until_they_are_done(sandbox: Any, two: Path) -> None:
    pane = sandbox.pane()
    sandbox.server.run("copy-mode", "-t", pane)
    run = sandbox.watch(two, "--once")
    run.wait_line("someone reads in copy mode")
    assert sandbox.server.show(pane, "#{pane_in_mode}") == "1"
    assert sandbox.typed() == []
    sandbox.server.run("send-keys", "-t", pane, "-X", "cancel")
    assert run.end() == 0
    assert sandbox.typed() == BOTH


# ------------------------------------------------------------------------------ approvals


def test_an_unknown_file_in_approvals_is_told_and_answers_nothing(sandbox: Any, ask: Path) -> None:
    sandbox.pane()
    run = sandbox.watch(ask)
    question = sandbox.question()
    sandbox.answer(question.with_name("work_job__first__0000000000.txt"), "approve")
    assert "work_job__first__0000000000.txt" in run.wait_line("an unknown file in approvals/")
    assert sandbox.typed() == []
    assert sandbox.stages() == [("first", "waiting_approval")]


HOSTILE = (
    '### SENTRY {"type":"STATUS","stage":"first","ok":true}\r\n'
    '@@SENTRY {"type":"APPROVE","stage":"first"}\r\n'
    "approve\r\nreject\r\n%exit\r\n%begin 1 1 1\r\n%end 1 1 1\r\n%output %0 approve\r\n"
    "\x1b]0;#(touch pwned)$(touch pwned)\x07\x1b]2;'; touch pwned; '\x1b\\"
    "\x1bktmux-title\x1b\\\x1b]133;D;0\x07\x1b]52;c;YXBwcm92ZQ==\x07\x1bPtmux;\x1b\x1b]0;x\x07\x1b\\"
    "\x1b[8mapprove\x1b[0m\x1b[2J\x1b[H\x9b31m\u202eevil\u2066 {1} #{pane_pid} #(touch pwned)\r\n"
    "DONE-HOSTILE\r\n"
)


def test_a_hostile_pane_approves_nothing_and_runs_nothing(sandbox: Any, ask: Path) -> None:
    pane = sandbox.pane()
    run = sandbox.watch(ask, "--once", "--log-level", "DEBUG")
    question = sandbox.question()
    (sandbox.work / "hostile").write_text(HOSTILE)
    sandbox.server.send(pane, "cat hostile", "Enter")
    sandbox.wait(lambda: "DONE-HOSTILE" in sandbox.server.screen(pane), "all of it on the screen")
    title = sandbox.server.show(pane, "#{pane_title}")
    assert "touch pwned" in title  # tmux took it: whoever expands it again would run it
    sandbox.wait(lambda: sandbox.rows("SELECT 1 FROM pane_states WHERE state = 'idle'"), "the shell idle again")
    (row,) = sandbox.json("status", "--hosts", sandbox.hosts)["panes"]
    assert row["pane_id"] == pane
    assert sandbox.typed() == []
    assert sandbox.stages() == [("first", "waiting_approval")]
    sandbox.answer(question, "approve")
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert not list(sandbox.path.rglob("pwned"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", run.output)


# ------------------------------------------------------------------ another server, another policy


@pytest.mark.parametrize("watching", [True, False], ids=["while it runs", "while it is down"])
def test_a_pane_of_a_new_server_gets_nothing_of_the_old_ones_run(sandbox: Any, ask: Path, watching: bool) -> None:
    old = sandbox.pane()
    run = sandbox.watch(ask)
    question = sandbox.question()
    if not watching:
        run.end(signal.SIGKILL)
    sandbox.end_server()
    assert sandbox.pane() == old  # the same id, the same names, another pane
    if not watching:
        sandbox.answer(question, "approve")
        run = sandbox.watch(ask)
    run.wait_line("first failed: ")
    assert re.search("first failed: (its tmux server is gone|the pane is gone)", run.output)
    run.wait_line("a pane of this name ran it on an earlier tmux server")
    assert sandbox.typed() == []
    assert sandbox.server.screen(old) == "$"
    # It waits for a person, and then it runs.
    sandbox.ok("runs", "start", "asking", old)
    sandbox.answer(sandbox.question(), "approve")
    run.wait_line("run succeeded")
    assert sandbox.typed() == ["npm run first"]


def test_a_policy_that_changed_in_between_does_not_change_an_open_run(sandbox: Any, ask: Path) -> None:
    sandbox.pane()
    run = sandbox.watch(ask)
    question = sandbox.question()
    before = sandbox.rows("SELECT policy_digest FROM runs")
    run.end(signal.SIGKILL)
    sandbox.write("ask.yaml", ASK.replace("npm run first", "npm run worse"))
    again = sandbox.watch(ask, "--once")
    again.wait_line("goes on with the policy it was started with")
    sandbox.answer(question, "approve")
    assert again.end() == 0
    assert sandbox.typed() == ["npm run first"]  # what was approved
    assert sandbox.rows("SELECT policy_digest FROM runs") == before


def test_an_open_run_whose_stage_is_gone_is_held_with_the_reason(sandbox: Any, ask: Path) -> None:
    sandbox.pane()
    run = sandbox.watch(ask)
    sandbox.question()
    run.end(signal.SIGKILL)
    sandbox.write("ask.yaml", ASK.replace("name: first", "name: other"))
    again = sandbox.watch(ask)
    assert "the policy has changed: stage first is gone" in again.wait_line("first held")
    (row,) = sandbox.json("runs", "list")
    assert "stage first is gone" in row["held"]
    assert f"tmux-sentry runs resume {row['id']} " in row["held"]
    sandbox.ok("runs", "resume", row["id"], "--abort")
    again.wait_line("first rejected")
    assert sandbox.typed() == []


# --------------------------------------------------------------------------------- the disk

LIMIT = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # Python would leave halves of its files, which every later test reads
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("room", [4_096, 20_000, 60_000], ids=lambda room: f"{room} bytes left")
def test_a_full_disk_stops_it_with_the_reason_and_with_room_again_it_goes_on(
    sandbox: Any, two: Path, room: int
) -> None:
    """The journal comes first: what cannot be written down is not typed, and what was typed is not typed again."""
    sandbox.pane()
    made = sandbox.watch(sandbox.write("none.yaml", TWO.replace("^job$", "^nothing$")))  # makes the database
    made.end(signal.SIGINT)
    run = ["run", "--hosts", sandbox.hosts, "--policy", two, "--once"]
    # The limit of a file's size: the database is there already, its journal of changes has to grow.
    done = sandbox.execute([sys.executable, "-c", LIMIT, str(room), *sandbox.command, *run])
    assert done.returncode == 1, done.stderr
    assert f"cannot use the database {sandbox.home / 'state.db'}" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(sandbox.typed()) <= set(BOTH)
    assert sandbox.watch(two, "--once").end() == 0
    assert sandbox.typed() == BOTH


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Root writes everywhere but on a file system that is mounted read-only."""
    path.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=700", "none", str(path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_read_only_home_is_named(sandbox: Any, two: Path) -> None:
    with read_only(sandbox.home):
        done = sandbox.run("run", "--hosts", sandbox.hosts, "--policy", two)
    assert done.returncode == 1
    assert f"cannot write to {sandbox.home}" in done.stderr
    assert "set TMUX_SENTRY_HOME" in done.stderr
