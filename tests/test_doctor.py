"""`tmux-sentry doctor` as a user starts it: what is wrong is named with its fix, and nothing is changed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.testing.ssh_server import SshServer
from tmux_sentry.transport.local import LocalTransport

POLICY = """
    pipelines:
      - name: asking
        match: {window_name: "^job$"}
        stages:
          - name: first
            require_approval: true
            timeout: 10m
            success_when: [{sentry: {type: STATUS, ok: true}}]
            actions_on_start: [{send_keys: "npm run first"}]
"""


@pytest.fixture
def policy(sandbox: Any) -> Path:
    return sandbox.write("policy.yaml", POLICY)  # type: ignore[no-any-return]


@pytest.fixture
def used(sandbox: Any, policy: Path) -> Any:
    """A sandbox in which `run` has run: a database, an approval that waits, panes that are claimed."""
    sandbox.pane()
    process = sandbox.watch(policy)
    sandbox.question("first")
    assert process.end(signal.SIGINT) == 130
    return sandbox


def doctor(sandbox: Any, *args: str | Path, **env: str) -> tuple[int, list[dict[str, str]], str]:
    """Exit status, the findings, and the text that a person gets."""
    words = ("doctor", "--hosts", sandbox.hosts, *args)
    done = sandbox.run(*words, "--json", **env)
    told = sandbox.run(*words, **env)
    assert (told.returncode, "Traceback" in told.stderr + done.stderr) == (done.returncode, False), told.stderr
    data = json.loads(done.stdout)
    found: list[dict[str, str]] = data["findings"]
    assert set(data) == {"ok", "problems", "notes", "findings"}
    assert data["problems"] == sum(one["level"] == "problem" for one in found)
    assert data["notes"] == sum(one["level"] == "note" for one in found)
    assert data["ok"] is (data["problems"] == 0) is (done.returncode == 0)
    for one in found:
        assert set(one) == {"level", "subject", "what", "fix"}
        assert one["level"] in ("ok", "note", "problem")
        assert one["what"]
        assert one["fix"] or one["level"] != "problem"
    return done.returncode, found, told.stdout


def problems(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [one for one in found if one["level"] == "problem"]


def edit(sandbox: Any, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(sandbox.home / "state.db", isolation_level=None)) as connection:
        connection.execute(statement, values)


def tree(path: Path) -> dict[str, tuple[int, int, int]]:
    return {str(one): (s.st_mode, s.st_mtime_ns, s.st_size) for one in path.rglob("*") for s in [one.stat()]}


# ------------------------------------------------------------------- when all is well


def test_before_anything_ran_nothing_needs_doing_and_nothing_is_made(sandbox: Any) -> None:
    sandbox.pane()
    code, found, told = doctor(sandbox)
    assert (code, problems(found)) == (0, [])
    assert "nothing needs doing" in told.splitlines()[-1]
    assert not sandbox.home.exists()


def test_a_healthy_installation_is_left_exactly_as_it_is(used: Any, policy: Path) -> None:
    before = tree(used.home)
    options = [used.server.run("show-options", *level) for level in (["-s"], ["-g"], ["-gw"])]
    code, found, told = doctor(used, "--policy", policy)
    assert (code, problems(found)) == (0, [])
    assert tree(used.home) == before
    assert [used.server.run("show-options", *level) for level in (["-s"], ["-g"], ["-gw"])] == options
    subjects = {one["subject"] for one in found}
    assert subjects >= {
        "python", "settings", "plugins", "files", "approvals", "disk", "database", "backups", "run", "clock",
        "channels", "hosts", "policies",
    }  # fmt: skip
    assert "1 approval waiting" in told
    edit(used, "UPDATE runs SET state = json_set(state, '$.attempt.held', 'lost')")
    assert "1 run held until a person says go" in used.ok("doctor", "--hosts", used.hosts)
    # Each line says what it is, and what can be done stands below it.
    for line in told.splitlines()[:-1]:
        assert line.startswith(("ok  ", "note  ", "problem  ", "                    fix: ")), line


def test_beside_a_running_instance_it_disturbs_nothing(sandbox: Any, policy: Path) -> None:
    sandbox.pane()
    process = sandbox.watch(policy)
    path = sandbox.question("first")
    code, found, told = doctor(sandbox)
    assert (code, problems(found)) == (0, [])
    assert f"is running (pid {process.pid} on " in told
    assert not [one for one in found if one["subject"] == "clients"]
    sandbox.answer(path, "approve")
    sandbox.wait_typed("npm run first")
    assert process.end(signal.SIGINT) == 130


def test_a_host_is_asked_over_ssh_too(sandbox: Any, ssh_server: SshServer) -> None:
    sandbox.pane()
    ssh = {"hostname": ssh_server.host, "port": ssh_server.port, "user": ssh_server.user, "agent": False}
    ssh |= {"key_files": [str(ssh_server.key_file)], "known_hosts": str(ssh_server.known_hosts), "config": False}
    host = {"name": "nas", "transport": "ssh", "ssh": ssh, "tmux": {"socket_path": sandbox.server.address.socket_path}}
    sandbox.write("hosts.yaml", json.dumps({"hosts": [host]}))
    code, _, told = doctor(sandbox)
    assert (code, "nas: 1 pane" in told, str(ssh_server.key_file) in told) == (0, True, True)
    loose = sandbox.work / "loose"
    loose.write_bytes(ssh_server.key_file.read_bytes())
    loose.chmod(0o644)
    ssh["key_files"] = [str(loose)]
    sandbox.write("hosts.yaml", json.dumps({"hosts": [host]}))
    code, found, _ = doctor(sandbox)
    assert (code, [one["fix"] for one in problems(found)]) == (1, [f"chmod 600 {loose}"])


# ------------------------------------------------------------------ what can be wrong


def _damage(sandbox: Any) -> None:
    data = bytearray((sandbox.home / "state.db").read_bytes())
    data[4096 : 4096 * 4] = bytes(4096 * 3)
    (sandbox.home / "state.db").write_bytes(data)


def _later(sandbox: Any) -> None:
    edit(sandbox, "UPDATE meta SET value = ? WHERE key = 'seen_at'", repr(time.time() + 3600))


def _lose(sandbox: Any) -> None:
    (sandbox.home / "state.db").rename(sandbox.home / "state.db-wal")


def _observe_only(sandbox: Any) -> None:
    edit(sandbox, "INSERT INTO meta VALUES ('observe_only', 'restored from a backup')")


def _unreachable(sandbox: Any) -> None:
    sandbox.write("hosts.yaml", sandbox.hosts_text() + sandbox.hosts_text("away", socket_path="/nowhere/s")[7:])


#: name -> (what is done to the installation, the subject, what is said, the fix)
WRONG: dict[str, tuple[Callable[[Any], object], str, str, str]] = {
    "open home": (lambda s: s.home.chmod(0o755), "files", "can be read by other users", "chmod 700 {home}"),
    "open database": (
        lambda s: (s.home / "state.db").chmod(0o644), "database", "mode 0644", "chmod 600 {home}/state.db"
    ),
    "open approvals": (
        lambda s: (s.home / "approvals").chmod(0o777), "files", "can be written", "chmod 700 {home}/approvals"
    ),
    "server option": (
        lambda s: s.server.run("set-option", "-s", "@sentry_owner", "x"), "options", "for the whole server",
        "set-option -su @sentry_owner",
    ),
    "global option": (
        lambda s: s.server.run("set-option", "-g", "@sentry_epoch", "7"), "options", "@sentry_epoch is set",
        "set-option -gu @sentry_epoch",
    ),
    "unreachable": (_unreachable, "hosts", "away: no tmux server runs there", "start one with `tmux new`"),
    "damaged": (_damage, "database", "is damaged", "tmux-sentry db restore"),
    "lost": (_lose, "database", "is gone", "tmux-sentry db restore"),
    "future": (_later, "clock", "in the future of this clock", "set the clock"),
    "observe only": (_observe_only, "database", "restored from a backup", "tmux-sentry runs list"),
    "hosts file": (
        lambda s: s.write("hosts.yaml", s.hosts_text() + "    tgas: []\n"), "hosts", "unknown key 'tgas'", "'tags'"
    ),
    "policy": (lambda s: s.write("policy.yaml", "pipelines: 3\n"), "policies", "policy.yaml:1:", "line 1"),
}  # fmt: skip


#: What hides something else of it goes alone.
TOGETHER = [["damaged"], ["lost"], ["hosts file"]]
TOGETHER.append([case for case in WRONG if [case] not in TOGETHER])


@pytest.mark.parametrize("cases", TOGETHER, ids=lambda cases: cases[0] if len(cases) == 1 else "the others")
def test_what_is_wrong_is_named_with_its_fix(used: Any, policy: Path, cases: list[str]) -> None:
    used.server.run("set-option", "-p", "-t", "work:job", "@sentry_owner", "other@vm")
    for case in cases:
        WRONG[case][0](used)
    code, found, told = doctor(used, "--policy", policy)
    assert code == 1
    wrong = problems(found)
    for case in cases:
        _, subject, what, fix = WRONG[case]
        fix = fix.format(home=used.home)
        named = [
            one for one in wrong if (one["subject"], what in one["what"], fix in one["fix"]) == (subject, True, True)
        ]
        assert len(named) == 1, (case, wrong)
        wrong.remove(named[0])
        assert fix in told
    assert wrong == []
    # Whose the panes are is not known without the database, and told when it is lost.
    owners = [one for one in found if one["subject"] == "owners"]
    assert bool(owners) is (cases not in (["damaged"], ["hosts file"]))
    # The rest is looked at all the same.
    assert [one for one in found if one["subject"] == "channels"]


@pytest.mark.parametrize(
    ("mode", "what"), [(0o644, "others can read the secrets"), (0o666, "everybody may write to it")]
)
def test_an_env_file_that_others_reach_is_a_problem(sandbox: Any, mode: int, what: str) -> None:
    sandbox.pane()
    env = sandbox.write(".env", "LOG_LEVEL=INFO\n")
    assert doctor(sandbox, "--env-file", env)[0] == 0
    env.chmod(mode)
    code, found, _ = doctor(sandbox, "--env-file", env)
    (wrong,) = problems(found)
    assert (code, wrong["fix"], what in wrong["what"]) == (1, f"chmod 600 {env}", True)


def test_a_channel_that_nobody_provides_is_a_problem(sandbox: Any) -> None:
    sandbox.pane()
    code, found, _ = doctor(sandbox, NOTIFICATION_CHANNELS="stdout,stdoot")
    (wrong,) = problems(found)
    assert (code, wrong["subject"], wrong["fix"]) == (1, "channels", "did you mean 'stdout'?")


@pytest.mark.parametrize("secret", ["", "short"])
def test_approval_pages_without_a_secret_are_a_problem(sandbox: Any, secret: str) -> None:
    sandbox.pane()
    env = {"APPROVAL_BASE_URL": "https://sentry.example.org", "APPROVAL_SECRET": secret}
    code, found, _ = doctor(sandbox, **env)
    (wrong,) = problems(found)
    assert (code, wrong["subject"], wrong["what"]) == (
        1, "approvals", "web: APPROVAL_SECRET is not set or too short, so there are no pages",
    )  # fmt: skip
    assert doctor(sandbox, **{**env, "APPROVAL_SECRET": "x" * 32})[0] == 0


def test_without_plugins_what_is_missing_is_told(sandbox: Any) -> None:
    sandbox.pane()
    done = sandbox.run("--no-plugins", "doctor", "--hosts", sandbox.hosts)
    assert (done.returncode, "there is no notification channel stdout" in done.stdout) == (1, True)


def test_clients_of_a_run_that_is_gone_are_named(used: Any) -> None:
    with closing(LocalTransport("here")) as transport:
        flags = ("-C", "attach", "-f", "no-output,ignore-size")
        client = transport.open([*used.server.address.argv(), *flags])
        used.wait(used.clients, "a client")
        code, found, _ = doctor(used)
        assert (code, [one["subject"] for one in found if str(client.pid) in one["fix"]]) == (0, ["clients"])
        edit(used, "INSERT OR REPLACE INTO meta VALUES ('clients here', ?)", json.dumps([client.pid]))
        code, found, _ = doctor(used)
        (wrong,) = problems(found)
        assert (code, wrong["fix"].endswith(f"kill {client.pid}")) == (1, True)


# ------------------------------------------------------------------ what it may print


def test_hostile_text_from_panes_and_owners_prints_no_control_character(used: Any) -> None:
    pane = used.pane(session="other")
    evil = "\x1b]0;evil\x07\u202e\x9b31m\nproblem  forged"
    used.server.run("set-option", "-p", "-t", pane, "@sentry_owner", evil)
    used.server.run("set-option", "-g", "@mine", evil)
    used.server.run("select-pane", "-t", pane, "-T", evil)
    used.server.run("rename-window", "-t", pane, "job \u202e")
    edit(
        used,
        "INSERT INTO outbox (channel, dedupe_key, message, status, tries, detail, created_at, next_at)"
        " VALUES ('email', 'k', '{}', 'pending', 1, ?, 1, 1)",
        evil,
    )
    code, found, told = doctor(used)
    assert (code, len([one for one in found if one["subject"] == "owners"])) == (0, 1)
    assert "1 message for email waiting" in told
    assert all(char == "\n" or (char.isprintable() and char != "\u202e") for char in told)
    assert not [line for line in told.splitlines() if line.startswith("problem")]


def test_a_secret_is_not_printed_wherever_it_stands(sandbox: Any) -> None:
    sandbox.pane()
    secret = "s3cret-" * 6
    env = sandbox.write(".env", f"APPROVAL_SECRET={secret}\nNOTIFICATION_CHANNELS=stdout,{secret}\n")
    done = sandbox.run("doctor", "--hosts", sandbox.hosts, "--env-file", env)
    as_json = sandbox.run("doctor", "--hosts", sandbox.hosts, "--env-file", env, "--json")
    assert (done.returncode, "[redacted]" in done.stdout) == (1, True)
    assert "s3cret" not in done.stdout + done.stderr + as_json.stdout + as_json.stderr


# --------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize("option", ["--hosts", "--policy", "--env-file", "--bogus"])
def test_what_is_named_and_not_there_is_wrong_usage(sandbox: Any, option: str) -> None:
    done = sandbox.run("doctor", option, "absent.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "absent.yaml" in done.stderr or option == "--bogus"
    assert os.listdir(sandbox.path / "user") == []
