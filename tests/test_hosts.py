"""Several machines at once, over a real sshd: whichever of them is down or odd, the others go on."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.testing.ssh_server import SshServer, running_ssh_server
from tmux_sentry.testing.tcp_proxy import running_proxy

TWO = """
    pipelines:
      - name: pair
        match: {window_name: "^job$", host: "^nas$"}
        stages:
          - name: first
            actions_on_start: [{send_keys: "npm run first"}]
          - name: second
            triggers: [{after_stage_success: first}]
            actions_on_start: [{send_keys: {text: "true", report_exit: true}}]
"""


class Fleet:
    """A hosts file that grows by a machine at a time; all of them lead to the sandbox's tmux server."""

    def __init__(self, sandbox: Any, server: SshServer) -> None:
        self.sandbox, self.server = sandbox, server
        self.hosts: list[dict[str, Any]] = []

    def add(
        self, name: str, tmux: dict[str, Any] | None = None, watch: dict[str, Any] | None = None, **ssh: Any
    ) -> None:
        target = {"hostname": self.server.host, "port": self.server.port, "user": self.server.user, "agent": False}
        target |= {
            "key_files": [str(self.server.key_file)],
            "known_hosts": str(self.server.known_hosts),
            "config": False,
        }
        host: dict[str, Any] = {"name": name, "transport": "ssh", "ssh": target | ssh}
        host["tmux"] = tmux or {"socket_path": self.sandbox.server.address.socket_path}
        if watch:
            host["watch"] = watch
        self.hosts.append(host)
        # JSON is YAML too.
        self.sandbox.write("hosts.yaml", json.dumps({"hosts": self.hosts}))

    def status(self) -> tuple[int, dict[str, dict[str, Any]], float]:
        """Exit status, the rows of the hosts by name, and how long it took."""
        began = time.monotonic()
        done = self.sandbox.run("status", "--hosts", self.sandbox.hosts, "--json", timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["hosts"]}, time.monotonic() - began


@pytest.fixture
def fleet(sandbox: Any, ssh_server: SshServer) -> Fleet:
    return Fleet(sandbox, ssh_server)


# ------------------------------------------------------------------------ what is odd


def known_as(server: SshServer, path: Path, key: Path) -> str:
    """A known_hosts file that has another key for the server."""
    path.write_text(f"[{server.host}]:{server.port} {' '.join(key.read_text().split()[:2])}\n")
    return str(path)


def locked_key(path: Path) -> list[str]:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", path], check=True)
    return [str(path)]


#: name -> (settings of the machine, what is said about it)
ODD: dict[str, tuple[Callable[[Fleet, Path], dict[str, Any]], str]] = {
    "no-name": (lambda f, p: {"hostname": "no-such-host.invalid"}, "does not resolve"),
    "refused": (lambda f, p: {"port": 1}, "refuses the connection"),
    "wrong-user": (lambda f, p: {"user": "nobody2"}, "no login as nobody2"),
    "locked": (lambda f, p: {"key_files": locked_key(p / "locked")}, "set SSH_KEY_PASSPHRASE_LOCKED"),
    "no-key": (lambda f, p: {"key_files": [str(p / "absent")]}, "no login"),
    "unknown": (lambda f, p: {"known_hosts": str(p / "empty")}, "tmux-sentry hosts trust unknown"),
    "changed": (
        lambda f, p: {"known_hosts": known_as(f.server, p / "other", f.server.key_file.with_suffix(".pub"))},
        "tmux-sentry hosts trust changed",
    ),
    "no-tmux": (lambda f, p: {"tmux": {"command": "no-such-tmux"}}, "there is no no-such-tmux program"),
    "no-server": (lambda f, p: {"tmux": {"socket_path": str(p / "socket")}}, "no tmux server runs there"),
    "bad-jump": (lambda f, p: {"proxy_jump": ["refused"]}, "refuses the connection"),
}


def test_each_odd_machine_has_one_clear_line_and_the_others_go_on(fleet: Fleet, tmp_path: Path) -> None:
    fleet.sandbox.pane()
    for name, (settings, _) in ODD.items():
        fleet.add(name, **settings(fleet, tmp_path))
    fleet.add("good")
    fleet.add("through", proxy_jump=["good"])
    code, rows, _ = fleet.status()
    assert code == 4
    for name, (_, words) in ODD.items():
        error = rows[name]["error"]
        assert (rows[name]["reachable"], error.startswith(f"{name}: ")) == (False, True), error
        assert words in error
        assert "\n" not in error
        assert "secret" not in error
    for name in ("good", "through"):
        assert (rows[name]["reachable"], rows[name]["panes"], rows[name]["error"]) == (True, 1, None)


def test_all_reachable_is_zero_and_a_row_for_each_pane(fleet: Fleet) -> None:
    pane = fleet.sandbox.pane()
    fleet.add("nas")
    fleet.add("polled", watch={"method": "poll"})
    assert fleet.status()[0] == 0
    table = fleet.sandbox.ok("status", "--hosts", fleet.sandbox.hosts)
    assert [line.split()[:2] for line in table.splitlines() if pane in line] == [["nas", pane], ["polled", pane]]


@pytest.mark.parametrize("shell", ["fish", "tcsh"])
def test_a_login_shell_that_is_not_posix(sandbox: Any, shell: str) -> None:
    pane = sandbox.pane()
    with running_ssh_server(f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"') as server:
        fleet = Fleet(sandbox, server)
        fleet.add("nas")
        assert fleet.status()[0] == 0
        assert "sent to" in sandbox.ok("send", pane, "npm run it", "--hosts", sandbox.hosts)
    sandbox.wait_typed("npm run it")


def test_a_banner_and_a_shell_that_greets(sandbox: Any, tmp_path: Path) -> None:
    sandbox.pane()
    (tmp_path / "banner").write_text("AUTHORISED USE ONLY\n" * 30)
    greeting = 'printf "Welcome\\n%%exit\\nhalf a line"; eval "$SSH_ORIGINAL_COMMAND"'
    with running_ssh_server(f"ForceCommand {greeting}", f"Banner {tmp_path / 'banner'}") as server:
        fleet = Fleet(sandbox, server)
        fleet.add("nas")
        code, rows, _ = fleet.status()
    assert (code, rows["nas"]["tmux_version"]) == (0, sandbox.server.run("-V").removeprefix("tmux "))


# ---------------------------------------------------------------------------- slowness


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.slow
def test_slow_hosts_are_asked_at_the_same_time(fleet: Fleet, silent: int) -> None:
    fleet.sandbox.pane()
    for number in range(3):
        fleet.add(f"silent{number}", port=silent)
    fleet.add("good")
    code, rows, took = fleet.status()
    assert (code, rows["good"]["reachable"]) == (4, True)
    assert "within 10 s" in rows["silent0"]["error"]
    assert took < 27.0, "three time-outs of 10 s one after the other"


def test_a_slow_host_is_named_while_it_is_waited_for(fleet: Fleet) -> None:
    fleet.sandbox.pane()
    with running_proxy(fleet.server.port) as proxy:
        key = fleet.server.host_key.with_suffix(".pub").read_text().split()[:2]
        with fleet.server.known_hosts.open("a") as known:
            known.write(f"[{proxy.host}]:{proxy.port} {' '.join(key)}\n")
        fleet.add("here-now")
        fleet.add("sluggish", port=proxy.port)
        proxy.drop()
        ours, theirs = pty.openpty()
        argv = [*map(str, fleet.sandbox.command), "status", "--hosts", str(fleet.sandbox.hosts)]
        process = subprocess.Popen(
            argv, env=fleet.sandbox.env(TERM="xterm"), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True
        )
        os.close(theirs)
        read_until(ours, b"still asking sluggish ...")  # the other one has answered
        proxy.passing()
        read_until(ours, b"\r\x1b[K")
        assert process.stdout is not None
        with process.stdout:
            table = process.stdout.read()
        assert process.wait(20.0) == 0
        os.close(ours)
    assert "still asking" not in table
    assert [line.split()[0] for line in table.splitlines()[1:3]] == ["here-now", "sluggish"]


def read_until(terminal: int, word: bytes, timeout: float = 20.0) -> bytes:
    data, deadline = b"", time.monotonic() + timeout
    while word not in data:
        assert select.select([terminal], [], [], max(deadline - time.monotonic(), 0.0))[0], data
        data += os.read(terminal, 4096)
    return data


# --------------------------------------------------------------------------------- run


def test_a_pipeline_runs_on_a_machine_beside_one_that_is_down(fleet: Fleet) -> None:
    sandbox = fleet.sandbox
    policy = sandbox.write("two.yaml", TWO)
    sandbox.pane()
    fleet.add("nas")
    fleet.add("down", port=1)
    run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy, "--once")
    run.wait_line("down: 127.0.0.1:1 refuses the connection")
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert sandbox.stages() == [("first", "succeeded"), ("second", "succeeded")]
    assert {row["host"] for row in sandbox.rows("SELECT host FROM pane_states")} == {"nas"}
    assert sum("refuses the connection" in line for line in run.lines) == 1
    assert sandbox.clients() == ""


@pytest.mark.parametrize("method", ["stream", "poll"])
def test_a_machine_may_come_later_and_go_in_between(fleet: Fleet, method: str) -> None:
    sandbox = fleet.sandbox
    policy = sandbox.write("two.yaml", TWO.replace('{text: "true", report_exit: true}', '"npm run second"'))
    sandbox.pane()
    fleet.add("nas", watch={"method": method})
    fleet.server.stop()
    hold = sandbox.hold("second")
    run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy)
    run.wait_line("nas: 127.0.0.1")
    fleet.server.start()
    sandbox.wait_typed("npm run second")
    fleet.server.stop()
    run.wait_line("refuses the connection", times=2)
    fleet.server.start()
    run.wait_line("nas: watching", times=2)
    hold.unlink()
    run.wait_line("run succeeded")
    assert run.end(signal.SIGTERM) == 0
    assert sandbox.typed() == ["npm run first", "npm run second"]


def test_a_tmux_server_with_two_names_gets_its_runs_once(fleet: Fleet) -> None:
    sandbox = fleet.sandbox
    policy = sandbox.write("two.yaml", TWO.replace(', host: "^nas$"', ""))
    sandbox.pane()
    fleet.add("nas")
    this = {"name": "this", "transport": "local", "tmux": fleet.hosts[0]["tmux"]}
    sandbox.write("hosts.yaml", json.dumps({"hosts": [this, *fleet.hosts]}))
    told = "nas and this are the same tmux server"
    done = sandbox.run("check", "--policy", policy, "--hosts", sandbox.hosts)
    assert told in done.stderr
    assert done.stdout.count("would start a run") == 1
    hold = sandbox.hold("first")
    run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy, "--once", "--take-over")
    run.wait_line(told)
    sandbox.wait_typed("npm run first")
    hold.unlink()
    assert run.end() == 0
    assert sandbox.typed() == ["npm run first"]
    assert sandbox.stages() == [("first", "succeeded"), ("second", "succeeded")]
    assert sum(told in line for line in run.lines) == 1


def test_pausing_reaches_every_machine_that_answers(fleet: Fleet) -> None:
    sandbox = fleet.sandbox
    sandbox.pane()
    with ExitStack() as stack:
        fleet.add("down", port=1)
        fleet.add("nas")
        stack.callback(sandbox.run, "unpause", "--hosts", sandbox.hosts)
        done = sandbox.run("pause", "--hosts", sandbox.hosts)
        assert done.returncode == 4
        assert "nas: all panes paused" in done.stdout
        assert "down: 127.0.0.1:1 refuses the connection" in done.stderr
        assert sandbox.server.run("show-options", "-gv", "@sentry_hold") == "1"


def test_an_event_waits_for_the_host_whose_run_it_is_for(fleet: Fleet) -> None:
    """The other name of the server takes it in too, and must not take it away."""
    sandbox = fleet.sandbox
    policy = sandbox.write("two.yaml", TWO)
    pane = sandbox.pane()
    with running_proxy(fleet.server.port) as proxy:
        key = fleet.server.host_key.with_suffix(".pub").read_text().split()[:2]
        with fleet.server.known_hosts.open("a") as known:
            known.write(f"[{proxy.host}]:{proxy.port} {' '.join(key)}\n")
        fleet.add("nas", port=proxy.port)
        fleet.add("twin")
        hold = sandbox.hold("first")
        run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy, "--once", "--log-level", "DEBUG")
        run.wait_line("twin and nas are the same tmux server")
        sandbox.wait_typed("npm run first")
        proxy.drop()
        for number, kind in enumerate(("STATUS", "PROGRESS")):  # at the second, the first would be taken away
            body = base64.b64encode(json.dumps({"type": kind, "stage": "first", "ok": True}).encode()).decode()
            sandbox.server.run("set-option", "-as", "@sentry_q", f" {pane}:{number}:{body}")
            run.wait_line(f"{pane} {kind.lower()}")
        proxy.passing()
        sandbox.wait(lambda: sandbox.stages()[0] == ("first", "succeeded"), "the end of the first stage")
        hold.unlink()
        assert run.end() == 0


def test_a_pane_that_a_pipeline_takes_is_read_before_older_ones(sandbox: Any) -> None:
    policy = sandbox.write("two.yaml", TWO.replace('host: "^nas$"', 'host: "^here$"'))
    sandbox.hosts.write_text(sandbox.hosts_text() + "    watch: {max_panes: 1}\n")
    sandbox.pane("other", "older")
    sandbox.pane()
    run = sandbox.start("run", "--hosts", sandbox.hosts, "--policy", policy, "--once")
    assert run.end() == 0
    assert sandbox.stages() == [("first", "succeeded"), ("second", "succeeded")]
    assert "2 panes, of which only 1 are read (watch.max_panes)" in run.output
