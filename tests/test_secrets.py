"""Encrypted values as a user has them: the commands, the bad inputs, and the main job with nothing in clear."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.testing.provider import Provider, Reply

ROBOT = "5d6c1f2e-1111-4222-8333-abcdefabcdef"
#: The .env of the README, and what of it must be seen nowhere.
ENV = {
    "APPROVAL_SECRET": "a-secure-secret-of-thirty-two-bytes-and-more",
    "WECHAT_WORK_WEBHOOK": "(of the test's own server)",
    "GITHUB_TOKEN": "ghp_your_github_token",
    "NOTIFICATION_CHANNELS": "stdout,wechat_work",
}
POLICY = """
    pipelines:
      - name: deploy
        match: {window_name: "^job$"}
        vars:
          unused: 'PUT'
        stages:
          - name: first
            actions_on_start:
              - send_keys: "npm run first"
              - external_check: {type: standin, repository: "user/repo", password: 'PUT', max_wait: 20}
            success_when: [{external_status: success}]
            on_success: [{notify: {level: warning, title: "done", message: "all is well"}}]
"""
NAMES = ["pipelines.deploy.vars.unused", "pipelines.deploy.stages.first.actions_on_start.1.external_check.password"]
STANDIN = """
        from pathlib import Path
        from tmux_sentry import CheckerPlugin, CheckResult, CheckStatus, Setting, hookimpl

        class StandIn:
            def __init__(self, context):
                self._token = context.settings["GITHUB_TOKEN"]

            def check(self, request):
                Path("asked.log").write_text(f"{self._token} {request.config['password']}")
                done = not Path("hold-check").exists()
                status = CheckStatus.SUCCESS if done else CheckStatus.PENDING
                return CheckResult(status=status, detail=f"asked with {self._token}", next_in=0.05)

        SCHEMA = {
            "type": "object",
            "properties": {"repository": {"type": "string"}, "password": {"type": "string", "writeOnly": True}},
        }

        @hookimpl
        def tmux_sentry_checkers():
            settings = (Setting(name="GITHUB_TOKEN", description="x", secret=True),)
            yield CheckerPlugin(name="standin", config_schema=SCHEMA, settings=settings, factory=StandIn)
"""


@pytest.fixture
def plugins(sandbox: Any) -> str:
    """A check that writes down what it was given, installed as pip leaves it; for PYTHONPATH."""
    return str(sandbox.plugin("check_standin", STANDIN))


@pytest.fixture
def wechat() -> Iterator[Provider]:
    with Provider(Reply.of_json({"errcode": 0, "errmsg": "ok"})) as server:
        yield server


@pytest.fixture
def room(sandbox: Any) -> Any:
    """A sandbox with a key."""
    sandbox.ok("init", sandbox.work / "examples")
    return sandbox


def put(
    sandbox: Any, name: str, value: str | bytes, *options: str | Path, **env: str
) -> subprocess.CompletedProcess[bytes]:
    """`tmux-sentry secrets set NAME` with the value on stdin."""
    given = value if isinstance(value, bytes) else value.encode()
    done: subprocess.CompletedProcess[bytes] = sandbox.run_bytes("secrets", "set", name, *options, given=given, **env)
    return done


def put_ok(sandbox: Any, name: str, value: str | bytes, *options: str | Path, **env: str) -> str:
    done = put(sandbox, name, value, *options, **env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def shown(sandbox: Any, name: str, *options: str | Path) -> bytes:
    done: subprocess.CompletedProcess[bytes] = sandbox.run_bytes("secrets", "get", name, "--show", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def at_terminal(sandbox: Any, argv: list[str], answers: list[str]) -> tuple[int, str]:
    """Run it at a terminal and type an answer at each `: `; exit status and what the terminal showed."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [*sandbox.command, *argv],
        cwd=sandbox.work,
        env=sandbox.env(TERM="dumb"),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,  # no other terminal of ours is asked
    )
    os.close(inside)
    seen, deadline = b"", time.monotonic() + 30
    waiting = list(answers)
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
        if waiting and seen.endswith(b": "):
            os.write(terminal, f"{waiting.pop(0)}\n".encode())
            seen += b"\n"
    else:
        process.kill()
    code = process.wait(30)
    os.close(terminal)
    return code, seen.decode()


# ------------------------------------------------------------------------- the main job


def test_the_env_file_of_the_readme_runs_with_every_value_encrypted(room: Any, plugins: str, wechat: Provider) -> None:
    env = ENV | {"WECHAT_WORK_WEBHOOK": f"{wechat.url}/cgi-bin/webhook/send?key={ROBOT}"}
    for name, value in env.items():
        put_ok(room, name, value, PYTHONPATH=plugins)
    policy = room.write("p.yaml", POLICY)
    for name in NAMES:
        put_ok(room, name, f"hunter2-{name}", "--file", policy, PYTHONPATH=plugins)
    files = (room.work / ".env").read_text() + policy.read_text()
    secrets = [*env.values(), *(f"hunter2-{name}" for name in NAMES)]
    assert [secret for secret in secrets if secret in files] == []
    assert files.count("enc:v1:") == len(secrets)

    room.pane()
    options = ("--env-file", ".env", "--hosts", room.hosts)
    assert "nothing needs doing" in room.ok("secrets", "check", *options, "--policy", policy, PYTHONPATH=plugins)
    run = room.watch(policy, "--env-file", ".env", "--once", "--log-level", "DEBUG", PYTHONPATH=plugins)
    assert run.end() == 0, run.output
    assert room.typed() == ["npm run first"]
    assert room.stages() == [("first", "succeeded")]
    assert (room.work / "asked.log").read_text() == f"ghp_your_github_token hunter2-{NAMES[1]}"
    assert {request.path for request in wechat.requests} == {f"/cgi-bin/webhook/send?key={ROBOT}"}
    assert "all is well" in wechat.requests[0].body.decode()
    assert "no approval links" not in run.output
    # What was encrypted is nowhere: not in the output, not in the database.
    stored = b"".join(path.read_bytes() for path in room.home.rglob("state.db*"))
    assert b"enc:v1:" in stored  # the run keeps its policy as it is written
    assert [secret for secret in secrets if secret in run.output or secret.encode() in stored] == []


def test_an_open_run_keeps_its_old_key_from_being_removed(room: Any, plugins: str) -> None:
    policy = room.write("p.yaml", POLICY)
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more", PYTHONPATH=plugins)
    for name in NAMES:
        put_ok(room, name, "hunter2-of-the-policy", "--file", policy, PYTHONPATH=plugins)
    room.pane()
    (room.work / "hold-check").touch()
    options = ("--env-file", ".env", "--policy", policy)
    run = room.watch(policy, "--env-file", ".env", PYTHONPATH=plugins)
    run.wait_line("external check standin started")
    files = (*options, "--hosts", room.hosts)
    room.ok("secrets", "rotate", *files, PYTHONPATH=plugins)  # also while it runs
    refused = room.run("secrets", "rotate", "--finish", *files, PYTHONPATH=plugins)
    assert refused.returncode == 1
    assert refused.stdout.count(": needs the key ") == 2
    assert refused.stdout.startswith("run ")
    assert run.end(signal.SIGINT) == 130
    # The run goes on with the policy it was started with, whose values need the old key.
    (room.work / "hold-check").unlink()
    again = room.start("run", "--hosts", room.hosts, *options, "--once", PYTHONPATH=plugins)
    assert again.end() == 0, again.output
    assert (room.work / "asked.log").read_text() == "ghp_x-and-more hunter2-of-the-policy"
    assert "removed the key" in room.ok("secrets", "rotate", "--finish", *files, PYTHONPATH=plugins)
    assert [row["state"] for row in room.json("secrets", "status", *files, PYTHONPATH=plugins)] == ["newest"] * 3


# --------------------------------------------------------------------------- set and get


def test_set_makes_the_file_for_us_alone_and_get_gives_the_value_back(room: Any) -> None:
    value = "two\nlines\n with $HOME 'quotes' \"and\" \\ 密码\x1b[31m"
    said = put_ok(room, "SMTP_PASSWORD", f"{value}\n")
    env = room.work / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert shown(room, "SMTP_PASSWORD") == value.encode()
    told = room.ok("secrets", "get", "SMTP_PASSWORD")
    assert told.startswith("SMTP_PASSWORD is set in .env:1:15, encrypted with the key ")
    assert "two" not in said + told + env.read_text()
    assert str(len(value)) not in told.partition("with the key")[0].partition(".env")[0]


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"x\n", b"x"), (b"x\r\n", b"x"), (b"x", b"x"), (b"x\n\n", b"x\n"), (b" x ", b" x ")],
)
def test_one_line_end_of_stdin_is_left_out(room: Any, data: bytes, value: bytes) -> None:
    put_ok(room, "SMTP_PASSWORD", data)
    assert shown(room, "SMTP_PASSWORD") == value


def test_every_other_byte_of_the_env_file_stays(room: Any) -> None:
    env = room.work / ".env"
    text = '# é\r\nexport A="x\r\ny"  # c\r\nGITHUB_TOKEN=1\r\n\r\nGITHUB_TOKEN=ghp_old # mine\r\nZ=1'
    env.write_bytes(text.encode())
    env.chmod(0o640)
    done = put(room, "GITHUB_TOKEN", "ghp_new")
    assert done.returncode == 0
    assert b"GITHUB_TOKEN is set more than once in .env; the last one counts" in done.stderr
    assert b"others can read the secrets in .env: chmod 600 .env" in done.stderr
    before, after = text.split("ghp_old")
    left, right = env.read_bytes().decode().split("enc:v1:")
    assert (left, right[right.index(" ") :]) == (before, after)
    assert stat.S_IMODE(env.stat().st_mode) == 0o640


def test_a_value_in_yaml_is_set_in_its_place(room: Any) -> None:
    text = "hosts:\n  - name: nas # mine\n    transport: ssh\n    ssh: {hostname: 192.0.2.1, password: hunter22}\n"
    hosts = room.write("h.yaml", text)
    row = room.run("secrets", "check", "--hosts", hosts)
    assert row.returncode == 1
    command = "tmux-sentry secrets set hosts.nas.ssh.password --file h.yaml"
    assert row.stdout.splitlines()[:2] == [
        f"{hosts}:4:42: hosts.nas.ssh.password: is a secret in clear",
        f"  = help: {command.replace('h.yaml', str(hosts))}",
    ]
    put_ok(room, "hosts.nas.ssh.password", "hunter22", "--file", "h.yaml")
    assert hosts.read_text().replace(hosts.read_text().split("password: ")[1], "hunter22}\n") == text
    assert shown(room, "hosts.nas.ssh.password", "--file", "h.yaml") == b"hunter22"
    assert "nothing needs doing" in room.ok("secrets", "check", "--hosts", hosts)
    missing = put(room, "hosts.nas.ssh.pasword", "x", "--file", "h.yaml")
    assert (missing.returncode, b"did you mean 'hosts.nas.ssh.password'?" in missing.stderr) == (2, True)
    printed = put_ok(room, "hosts.nas.ssh.key_passphrase", "phrase", "--print").strip()
    hosts.write_text(text.replace("password: hunter22", f"key_passphrase: {printed}"))
    assert shown(room, "hosts.nas.ssh.key_passphrase", "--file", "h.yaml") == b"phrase"


def test_a_person_is_asked_twice_and_nothing_is_echoed(room: Any) -> None:
    argv = ["secrets", "set", "SMTP_PASSWORD"]
    code, screen = at_terminal(room, argv, ["hunter22", "hunter22"])
    assert code == 0, screen
    assert screen.count(": ") == 2
    assert "hunter" not in screen
    assert shown(room, "SMTP_PASSWORD") == b"hunter22"
    put_ok(room, "SMTP_PASSWORD", "a\x1b]0;title\x07b\x9bc")
    code, screen = at_terminal(room, ["secrets", "get", "SMTP_PASSWORD", "--show"], [])
    assert (code, screen) == (0, "a\\x1b]0;title\\x07b\\x9bc\r\n")


# ----------------------------------------------------------------------------- bad input


def wrong_key(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    (room.home / "master.key").unlink()
    room.ok("init", room.work / "examples")


def no_key(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    (room.home / "master.key").unlink()


def cut_off(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    (room.work / ".env").write_text((room.work / ".env").read_text().rstrip()[:-6] + "\n")


def loose(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    (room.home / "master.key").chmod(0o644)


def moved(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    (room.work / ".env").write_text((room.work / ".env").read_text().replace("GITHUB_TOKEN", "SMTP_PASSWORD"))


def rotated_away(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x-and-more")
    kept = (room.work / ".env").read_text()
    room.ok("secrets", "rotate")
    room.ok("secrets", "rotate", "--finish")
    (room.work / ".env").write_text(kept)


def a_part(room: Any) -> None:
    put_ok(room, "NOTIFICATION_CHANNELS", "email")
    (room.work / ".env").write_text((room.work / ".env").read_text().replace("=enc", "=stdout,enc"))


def key_in_env(room: Any) -> None:
    key = (room.home / "master.key").read_text().split()[-1]
    room.write(".env", f"ENCRYPTION_KEY={key}\n")


BAD: dict[str, tuple[Callable[[Any], None], int, str, str]] = {
    "a wrong key": (wrong_key, 2, "GITHUB_TOKEN cannot be decrypted", "add that key as a line to {home}/master.key"),
    "no key": (no_key, 2, "there is no key, looked for in ENCRYPTION_KEY, {home}/master.key", "a copy of it"),
    "cut off": (cut_off, 2, "GITHUB_TOKEN cannot be decrypted", "tmux-sentry secrets set GITHUB_TOKEN --env-file .env"),
    "a key file that others read": (loose, 3, "{home}/master.key is refused", "chmod 600 {home}/master.key"),
    "moved": (moved, 2, "it was encrypted for GITHUB_TOKEN, and moved", "tmux-sentry secrets set SMTP_PASSWORD"),
    "rotated away": (rotated_away, 2, "GITHUB_TOKEN cannot be decrypted", "the backup that a rotation left there"),
    "a part of a list": (
        a_part,
        2,
        "only a part of it is encrypted; a list is encrypted as a whole",
        "set NOTIFICATION_CHANNELS",
    ),
    "the key beside the values": (
        key_in_env,
        3,
        ".env:1: ENCRYPTION_KEY is refused",
        "its path in ENCRYPTION_KEY_FILE",
    ),
}


@pytest.mark.parametrize(("make", "code", "what", "fix"), BAD.values(), ids=BAD)
def test_bad_input_stops_run_with_the_fix_and_nothing_is_overwritten(
    room: Any, make: Callable[[Any], None], code: int, what: str, fix: str
) -> None:
    make(room)
    before = {path: path.read_bytes() for path in [room.work / ".env", *room.home.glob("master.key*")]}
    policy = room.write("p.yaml", 'pipelines: [{name: a, match: {window_name: "^job$"}, stages: [{name: b}]}]\n')
    done = room.run("run", "--once", "--env-file", ".env", "--policy", policy, "--hosts", room.hosts)
    assert done.returncode == code, done.stderr
    assert what.format(home=room.home) in done.stderr
    assert fix.format(home=room.home) in done.stderr
    assert len(done.stderr.splitlines()) <= 4
    assert "ghp_x" not in done.stdout + done.stderr
    for words in (["rotate"], ["check"], ["rotate", "--finish"]):
        other = room.run("secrets", *words)
        assert other.returncode in (1, 2, 3), (words, other.stdout, other.stderr)
        assert "Traceback" not in other.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert set(room.home.glob("master.key*")) | {room.work / ".env"} == set(before)


def test_a_value_on_the_command_line_is_refused_and_not_repeated(room: Any) -> None:
    for words in (["GITHUB_TOKEN", "ghp_hunter2"], ["GITHUB_TOKEN=ghp_hunter2"]):
        done = room.run("secrets", "set", *words)
        assert done.returncode == 2
        assert "tmux-sentry: a value is not given on the command line" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        assert not (room.work / ".env").exists()


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("GITHUB_TOKEN", b"", "there is no value on stdin"),
        ("GITHUB_TOKEN", b"\n", "there is no value on stdin"),
        ("GITHUB_TOKEN", b"a\0b", "contains a NUL character"),
        ("GITHUB_TOKEN", b"\xff\xfe", "is not UTF-8 text"),
        ("GITHUB_TOKEN", b"x" * 65_000, "is longer than"),
        ("ENCRYPTION_KEY_FILE", b"/k", "cannot be encrypted"),
        ("TMUX_SENTRY_HOME", b"/k", "cannot be encrypted"),
        ("GITHUB-TOKEN", b"x", "is not a variable's name"),
    ],
)
def test_a_value_that_cannot_be_taken_leaves_the_file_alone(room: Any, name: str, value: bytes, what: str) -> None:
    room.write(".env", "GITHUB_TOKEN=old\n")
    done = put(room, name, value)
    assert done.returncode == 2
    assert what in done.stderr.decode()
    assert (room.work / ".env").read_text() == "GITHUB_TOKEN=old\n"


def test_without_a_key_nobody_is_asked_and_nothing_is_written(sandbox: Any) -> None:
    done = put(sandbox, "GITHUB_TOKEN", "x")
    assert done.returncode == 2
    assert "tmux-sentry init makes one" in done.stderr.decode()
    assert not (sandbox.work / ".env").exists()


# ------------------------------------------------------------------------ check, status


def test_check_names_what_is_in_clear_with_its_place_and_the_command(room: Any, plugins: str) -> None:
    room.write(".env", "# c\nLOG_LEVEL=INFO\nGITHUB_TOKEN=ghp_hunter2\nSMTP_PASSWORD=\n")
    token = "ghp_" + "b" * 36
    policy = room.write("p.yaml", POLICY.replace('"npm run first"', f'"curl -H {token} localhost"'))
    put_ok(room, NAMES[0], "x", "--file", policy)
    done = room.run("secrets", "check", "--policy", policy, "--json", PYTHONPATH=plugins)
    assert done.returncode == 1
    rows = [{**row, "file": Path(row["file"]).name} for row in json.loads(done.stdout)]
    assert [(row["file"], row["line"], row["column"], row["name"], row["kind"]) for row in rows] == [
        (".env", 3, 14, "GITHUB_TOKEN", "clear"),
        ("p.yaml", 10, 24, "pipelines.deploy.stages.first.actions_on_start.0.send_keys", "token"),
        ("p.yaml", 11, 80, NAMES[1], "clear"),
    ]
    assert rows[0]["fix"] == "tmux-sentry secrets set GITHUB_TOKEN --env-file .env"
    assert f"{NAMES[1]} --file {policy}" in rows[2]["fix"]
    assert "hunter2" not in done.stdout
    assert token not in done.stdout


def test_check_ends_with_2_for_an_invalid_file(room: Any) -> None:
    cases = [("--env-file", "A='x\n"), ("--hosts", "hosts: [\n"), ("--policy", "a: 1\na: 2\n")]
    for option, text in cases:
        path = room.write(f"bad{option}", text)
        done = room.run("secrets", "check", option, path)
        assert done.returncode == 2, (option, done.stdout, done.stderr)
        assert f"{path}:" in done.stderr
        assert room.run("secrets", "check", option, "no").returncode == 2


def test_status_tells_the_newest_an_old_and_an_unknown_key(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "x")
    put_ok(room, "A", "x")
    (room.work / "old.env").write_text((room.work / ".env").read_text())
    (room.work / "old.env").chmod(0o600)
    room.ok("secrets", "rotate")
    with (room.work / ".env").open("a") as file:
        token, other = (room.work / "old.env").read_text().splitlines(keepends=True)
        file.write(other + token.replace("GITHUB_TOKEN", "MOVED"))
        file.write("B=enc:v1:00000000:" + "A" * 40 + "\nC=enc:v1:x\nD=plain\n")
    env = {"SMTP_PASSWORD": "enc:v1:00000000:" + "A" * 40}
    rows = room.json("secrets", "status", **env)
    assert [(row["file"], row["line"], row["name"], row["state"]) for row in rows] == [
        (".env", 1, "GITHUB_TOKEN", "newest"),
        (".env", 2, "A", "newest"),
        (".env", 3, "A", "old"),
        (".env", 4, "MOVED", "damaged"),
        (".env", 5, "B", "unknown"),
        (".env", 6, "C", "damaged"),
        ("environment", 0, "SMTP_PASSWORD", "unknown"),
    ]
    told = room.ok("secrets", "status")
    assert f"(the newest) from {room.home}/master.key" in told
    assert "(an old one) from" in told


def test_rotate_from_the_command_line_keeps_comments_and_finishes(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x")
    (room.work / ".env").write_text("# mine\n" + (room.work / ".env").read_text() + "# end\n")
    said = room.ok("secrets", "rotate")
    assert said.count("kept a copy:") == 2
    text = (room.work / ".env").read_text()
    assert (text.splitlines()[0], text.splitlines()[-1]) == ("# mine", "# end")
    assert "removed the key" in room.ok("secrets", "rotate", "--finish")
    assert "nothing to remove" in room.ok("secrets", "rotate", "--finish")
    assert shown(room, "GITHUB_TOKEN") == b"ghp_x"


KILLED = """
import os, signal, sys
from tmux_sentry.cli.main import main

real, left = os.replace, int(sys.argv[1])

def replace(source, target):
    global left
    left -= 1
    if left == 0 and sys.argv[2] == "after":
        real(source, target)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)

os.replace = replace
sys.exit(main(["secrets", "rotate"]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_at_any_replacement_all_stays_readable_and_the_next_one_goes_on(
    room: Any, number: int, when: str
) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x")
    room.write("hosts.yaml", "hosts:\n- name: box\n  transport: ssh\n  ssh: {hostname: h, password: x}\n")
    put_ok(room, "hosts.box.ssh.password", "hunter22", "--file", "hosts.yaml")
    killed = room.execute([sys.executable, "-c", KILLED, number, when])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for again in range(2):
        assert shown(room, "GITHUB_TOKEN") == b"ghp_x"
        assert shown(room, "hosts.box.ssh.password", "--file", "hosts.yaml") == b"hunter22"
        if not again:
            made = "made the key" in room.ok("secrets", "rotate")
            assert made is ((number, when) in [(1, "before"), (3, "after")])
    assert {row["state"] for row in room.json("secrets", "status")} == {"newest"}
    assert "removed the key" in room.ok("secrets", "rotate", "--finish")


def test_keys_of_the_environment_and_of_systemd_work_alone(room: Any) -> None:
    put_ok(room, "GITHUB_TOKEN", "ghp_x")
    key = (room.home / "master.key").read_text().split()[-1]
    (room.home / "master.key").unlink()
    assert room.run("secrets", "get", "GITHUB_TOKEN").returncode == 2
    assert "(the newest)" in room.ok("secrets", "get", "GITHUB_TOKEN", ENCRYPTION_KEY=key)
    credentials = room.work / "credentials"
    credentials.mkdir()
    (credentials / "tmux-sentry.key").write_text(key)
    (credentials / "tmux-sentry.key").chmod(0o400)
    env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert "(the newest)" in room.ok("secrets", "get", "GITHUB_TOKEN", **env)
    for more in ({"ENCRYPTION_KEY": key}, env):
        done = room.run("secrets", "rotate", **more)
        assert (done.returncode, "a new key cannot be made here" in done.stderr) == (2, True)


# ------------------------------------------------------------------------------- doctor


def test_doctor_tells_of_a_loose_key_file_and_of_secrets_in_clear(room: Any) -> None:
    room.write(".env", "GITHUB_TOKEN=ghp_hunter2\nSMTP_USER=me\n")
    (room.home / "master.key").rename(room.work / "key")
    (room.work / "key").chmod(0o640)
    env = {"ENCRYPTION_KEY_FILE": str(room.work / "key")}
    done = room.run("doctor", "--env-file", ".env", "--hosts", room.hosts, "--json", **env)
    found = json.loads(done.stdout)["findings"]
    (clear,) = [one for one in found if one["subject"] == "secrets"]
    assert (clear["level"], clear["fix"]) == ("note", "tmux-sentry secrets set GITHUB_TOKEN --env-file .env")
    assert ".env:1:14: GITHUB_TOKEN is in clear" in clear["what"]
    assert "hunter2" not in done.stdout
    (key,) = [one for one in found if "the key file" in one["what"]]
    assert (key["level"], key["fix"]) == ("problem", f"chmod 600 {room.work}/key")
