"""What a hook does when its agent runs it: in a real tmux server, and nothing at all outside."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import smart_wrapper
from tmux_sentry.agent_hooks import report
from tmux_sentry.agent_hooks.commands import program_command, shell_command
from tmux_sentry.agent_hooks.events import event_of
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux import emitted, quoting

STOP = {"hook_event_name": "Stop", "session_id": "s1"}
REPORT = [sys.executable, "-W", "error", "-m", "tmux_sentry", "hooks", "report"]
OUTPUT: Any = {"capture_output": True, "text": True, "timeout": 30}


@pytest.fixture
def inside(tmux_server: TmuxServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """As in a pane of a server whose queue somebody reads; the pane's id."""
    pane = tmux_server.new_session(command="cat")
    tmux_server.run("set-option", "-s", "@sentry_wait", "sentry-1")
    monkeypatch.setenv("TMUX", f"{tmux_server.address.socket_path},{tmux_server.pid},0")
    monkeypatch.setenv("TMUX_PANE", pane)
    return pane


def queue(server: TmuxServer) -> list[dict[str, object]]:
    """The events in the queue, as the reader takes them."""
    raw = server.run("show-options", "-sqv", "@sentry_q").split()
    entries = [emitted._entry(word) for word in raw]
    assert all(entries)
    return [{**json.loads(entry.body), "pane": entry.pane_id} for entry in entries if entry is not None]


def hand_over(**fields: object) -> None:
    """As a hook does, with an event of one's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "event_of", lambda agent, payload: fields)
        report.report("claude", BytesIO(b"{}"))


def test_both_sides_of_the_queue_agree() -> None:
    ours = (smart_wrapper.QUEUE, smart_wrapper.CHANNEL, smart_wrapper.LONGEST_ENTRY)
    assert ours == (emitted.QUEUE, emitted.CHANNEL, emitted.LONGEST)
    assert smart_wrapper._CHANNEL_NAME == quoting._OWNER


def test_an_event_arrives_whole_and_wakes_the_reader(tmux_server: TmuxServer, inside: str) -> None:
    waiter = subprocess.Popen([*tmux_server.address.argv(), "wait-for", "sentry-1"])
    report.report("claude", BytesIO(json.dumps(STOP).encode()))
    report.report("claude", BytesIO(json.dumps(STOP).encode()))
    assert waiter.wait(20) == 0
    first, second = queue(tmux_server)
    assert first.pop("id") != second.pop("id")
    assert first == second == {**(event_of("claude", STOP) or {}), "pane": inside}


def test_nothing_is_kept_while_nobody_reads(tmux_server: TmuxServer, inside: str) -> None:
    tmux_server.run("set-option", "-su", "@sentry_wait")
    hand_over()
    assert queue(tmux_server) == []


def test_a_full_queue_does_not_grow(tmux_server: TmuxServer, inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smart_wrapper, "FULL", 100)
    for number in range(5):
        hand_over(n=number)
    assert [event["n"] for event in queue(tmux_server)] == [0, 1]


def test_what_is_too_long_or_has_no_pane_is_dropped(
    tmux_server: TmuxServer, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(n="x" * 7000)
    hand_over(n="\ud800 fits")
    monkeypatch.setenv("TMUX_PANE", "%0 ; kill-server")
    hand_over()
    monkeypatch.delenv("TMUX_PANE")
    hand_over()
    assert [event["n"] for event in queue(tmux_server)] == ["? fits"]


@pytest.mark.parametrize("channel", ["", "-t", "a;", "a b", "x" * 200])
def test_a_channel_that_is_no_name_is_nobody(tmux_server: TmuxServer, inside: str, channel: str) -> None:
    tmux_server.run("set-option", "-s", "@sentry_wait", channel.replace(";", "\\;"))
    hand_over()
    assert queue(tmux_server) == []


def test_without_the_program_the_command_does_the_same(tmux_server: TmuxServer, inside: str) -> None:
    for state in ("idle", ""):
        done = subprocess.run(["sh", "-c", shell_command("claude", "Stop", state)], input="{}", **OUTPUT)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, second = queue(tmux_server)
    assert len(str(first.pop("id"))) > 10
    data = {"agent": "claude", "hook": "Stop"}
    assert first == {"type": "STATE", "state": "idle", "data": data, "pane": inside}
    assert second["type"] == "PROGRESS"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\x00", b"[" * 200_000, b'{"a": "' + b"x" * 1_100_000 + b'"}', b"7"])
def test_any_garbage_is_taken_and_says_nothing(data: bytes) -> None:
    assert event_of("claude", report.payload_of(BytesIO(data))) is None


def test_a_payload_too_long_to_look_at_is_read_to_its_end() -> None:
    stream = BytesIO(json.dumps({**STOP, "x": "y" * 3_000_000}).encode())
    assert report.payload_of(stream) is None
    assert stream.read() == b""


def test_nothing_is_read_from_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "rb") as terminal:
        os.write(ours, b"half a word")
        assert report.payload_of(terminal) is None
    os.close(ours)


def test_the_command_is_silent_whatever_it_meets(tmp_path: Path) -> None:
    dead = {"PATH": os.environ["PATH"], "TMUX": f"{tmp_path}/none,1,0", "TMUX_PANE": "%1", "LOG_LEVEL": "ERROR"}
    for arguments, env in ((["claude"], dead), (["nobody"], {"PATH": ""})):
        done = subprocess.run([*REPORT, *arguments], input=json.dumps(STOP), env={**os.environ, **env}, **OUTPUT)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("agent", ["claude", "aider"])
def test_what_stands_in_a_configuration_ends_well_without_its_program(agent: str) -> None:
    command = program_command(agent)
    gone = command.replace(shlex.split(command)[0], "/gone/tmux sentry")
    done = subprocess.run(["sh", "-c", gone], input="{}", **OUTPUT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_report_that_hangs_ends_its_process_well() -> None:
    code = (
        "import os, tmux_sentry.agent_hooks.report as r\nr._SECONDS = 0.2\n"
        "read, write = os.pipe()\nr.report('claude', os.fdopen(read, 'rb'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], **OUTPUT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_hook_imports_nothing_heavy() -> None:
    heavy = ["yaml", "jsonschema", "sqlalchemy", "paramiko", "requests", "rich", "re2", "tmux_sentry.tmux.control"]
    code = (
        "import sys\nfrom tmux_sentry.cli.main import main\nmain(['hooks', 'report', 'claude'])\n"
        f"assert not [name for name in {heavy!r} if name in sys.modules]"
    )
    assert subprocess.run([sys.executable, "-c", code], input="{}", **OUTPUT).stderr == ""


def test_aider_keeps_its_terminal() -> None:
    assert "</dev/null" in program_command("aider")
    assert "</dev/null" not in program_command("claude")


def test_in_a_pane_that_has_a_key_an_event_is_signed(
    tmux_server: TmuxServer, inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX_SENTRY_HOME", str(tmp_path))
    pane = smart_wrapper.Pane(os.environ)
    pane.make_key()
    monkeypatch.setenv(smart_wrapper.PANE_FILE, pane.path)
    hand_over(n=0)
    hand_over(n=1)
    tmux_server.run("set-option", "-s", "@sentry_wait", "sentry-2")
    hand_over(n=2)
    entries = [emitted._entry(word) for word in tmux_server.run("show-options", "-sqv", "@sentry_q").split()]
    said = [entry.body.decode() for entry in entries if entry is not None]
    key = json.loads(Path(pane.path).read_text())["key"]
    # Each reader gets the key, once, before what it signed.
    assert [text for text in said if text.startswith("KEY ")] == [said[0], said[3]] == [f"KEY {key}"] * 2
    texts = [text.split(" ", 2)[2] for text in (said[1], said[2], said[4])]
    assert [json.loads(text)["n"] for text in texts] == [0, 1, 2]
    signed = [smart_wrapper.sign(key, number, text) for number, text in enumerate(texts, 1)]
    assert signed == [said[1], said[2], said[4]]
