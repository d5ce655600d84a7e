"""The smart wrapper and `emit`: on a real terminal, in a real pane, under the real program."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import smart_wrapper
from tmux_sentry.contracts import Lines, PaneFacts, PaneIdentity, Screen

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "smart_wrapper.py"
PANE = PaneIdentity(host="h", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)


def test_the_script_is_what_the_program_runs() -> None:
    assert SCRIPT.read_bytes() == Path(smart_wrapper.__file__).read_bytes()


# ------------------------------------------------------------------------------ on a terminal


class Terminal:
    """The wrapper on a pseudo-terminal of the test's."""

    def __init__(self, *command: str, size: tuple[int, int] = (24, 80)) -> None:
        self.master, slave = pty.openpty()
        self.size(*size)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        env = {key: value for key, value in os.environ.items() if key not in ("TMUX", "TMUX_PANE")}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *command],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.DEVNULL,
            env=env,
            preexec_fn=os.setpgrp,  # a group of its own that somebody could wake
        )

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, end: bytes) -> bytes:
        got = b""
        while end not in got:
            got += os.read(self.master, 65536)
        return got

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal() -> Any:
    made: list[Terminal] = []

    def make(*command: str) -> Terminal:
        made.append(Terminal(*command))
        return made[-1]

    yield make
    for one in made:
        one.close()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_every_byte_passes_both_ways(terminal: Any) -> None:
    raw = "import os,sys,tty; tty.setraw(0); os.write(1,b'R'); "
    echo = "d=b''\nwhile len(d)<512: d+=os.read(0,4096)\nos.write(1,d+b'END')"
    made = terminal(*python(raw + f"exec({echo!r})"))
    made.read_until(b"R")
    everything = bytes(range(256)) * 2
    os.write(made.master, everything)
    assert made.read_until(b"END") == everything + b"END"
    assert made.process.wait(10) == 0


def test_the_size_is_passed_on_when_it_changes(terminal: Any) -> None:
    code = (
        "import os,signal,time; s=lambda *_: os.write(1, ('%dx%d.' % os.get_terminal_size()).encode()); "
        "signal.signal(signal.SIGWINCH, s); s(); os.write(1, b'R'); [signal.pause() for _ in range(5)]"
    )
    made = terminal(*python(code))
    assert b"80x24." in made.read_until(b"R")
    made.size(40, 120)
    made.process.send_signal(signal.SIGWINCH)
    made.read_until(b"120x40.")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 15)", 143),
    ],
)
def test_the_status_is_the_commands_and_the_terminal_is_as_it_was(terminal: Any, code: str, status: int) -> None:
    made = terminal(*python(code))
    assert made.process.wait(10) == status
    assert termios.tcgetattr(made.slave) == made.before


def test_a_process_that_stays_behind_keeps_nobody(terminal: Any) -> None:
    made = terminal("sh", "-c", "sleep 1000 & echo $!; exit 3")
    child = int(re.findall(rb"\d+", made.read_until(b"\n"))[0])
    try:
        assert made.process.wait(10) == 3
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_signal_reaches_the_command(terminal: Any) -> None:
    made = terminal(
        *python("import signal,os; signal.signal(15, lambda *_: os._exit(42)); os.write(1,b'R'); signal.pause()")
    )
    made.read_until(b"R")
    made.process.terminate()
    assert made.process.wait(10) == 42


def test_a_large_paste_waits_for_a_command_that_waits_for_its_output(terminal: Any) -> None:
    code = "import os,tty; tty.setraw(0); os.write(1,b'R'); os.write(1,b'o'*300000); n=0\n"
    code += "while n<300000: n+=len(os.read(0,65536))\nos.write(1,b'END')"
    made = terminal(*python(f"exec({code!r})"))
    made.read_until(b"R")
    os.set_blocking(made.master, False)
    left, got = 300_000, b""
    deadline = time.monotonic() + 20
    while not got.endswith(b"END") and time.monotonic() < deadline:
        readable, writable, _ = select.select([made.master], [made.master] if left else [], [], 1.0)
        if writable:  # the paste first: only what comes out in between lets it go on
            left -= os.write(made.master, b"i" * min(left, 4096))
        elif readable:
            got += os.read(made.master, 65536)
    assert (left, got[-3:]) == (0, b"END")


def test_stopped_it_gives_the_terminal_back_and_takes_it_again(terminal: Any) -> None:
    made = terminal(*python("import os,signal; os.write(1,b'R'); signal.pause()"))
    made.read_until(b"R")
    wait(lambda: termios.tcgetattr(made.slave) != made.before)
    made.process.send_signal(signal.SIGTSTP)
    wait(lambda: termios.tcgetattr(made.slave) == made.before)
    made.process.send_signal(signal.SIGCONT)
    wait(lambda: termios.tcgetattr(made.slave) != made.before)


def test_when_its_terminal_goes_the_command_hears_of_it(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = f"import os,signal; signal.signal(1, lambda *_: (open({str(told)!r}, 'w').close(), os._exit(0)))\n"
    made = Terminal(*python(f"exec({code + 'os.write(1,b' + repr('R') + '); signal.pause()'!r})"))
    made.read_until(b"R")
    os.close(made.slave)
    os.close(made.master)
    try:
        made.process.wait(10)
        wait(told.exists)
    finally:
        made.process.kill()
        made.process.wait()


def wait(until: Any) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---------------------------------------------------------------------------------- arguments


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in ("TMUX", "TMUX_PANE")}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={**clean, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_what_follows_the_own_options_is_the_commands(tmp_path: Path) -> None:
    show = tmp_path / "codex"
    show.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    show.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert (
        run("codex", "chat", "--project", "my app", "--name", "x", PATH=path).stdout
        == "chat\n--project\nmy app\n--name\nx\n"
    )
    assert run("--name", "mine", "--", "codex", "--emit", PATH=path).stdout == "--emit\n"


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        ((), 2, "no command"),
        (("--bogus", "ls"), 2, "no option --bogus"),
        (("no-such-program",), 127, "no program"),
        (("--emit", "not json"), 2, "not JSON"),
        (("--emit", '{"type":"DONE"}'), 1, "not set"),
        (("--help",), 0, ""),
    ],
)
def test_bad_usage_is_told(arguments: tuple[str, ...], status: int, what: str) -> None:
    done = run(*arguments)
    assert done.returncode == status
    assert what in done.stderr


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", "{", '{"a":1}', '{"type":1}', '{"type":"STATUS","message":"' + "x" * 5000 + '"}', "[" * 100_000],
)
def test_what_is_no_event_is_not_handed_over(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|event"):
        smart_wrapper.event(text)


# ---------------------------------------------------------------------------- the instruction


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["claude", "-c"], ["claude", "--append-system-prompt", "{}", "-c"]),
        (["/opt/bin/qwen"], ["/opt/bin/qwen", "--append-system-prompt", "{}"]),
        (["codex", "chat"], ["codex", "-c", "developer_instructions={json}", "chat"]),
        (["gemini"], ["gemini", "-i", "{}"]),
        (["aider", "a.py"], ["aider", "--read", "{file}", "a.py"]),
        (
            ["gemini", "--resume", "x"],
            ["gemini", "--resume", "x"],
        ),  # its only way is a message
        (["claude", "--append-system-prompt", "mine"], ["claude", "--append-system-prompt", "mine"]),
        (["claude", "--append-system-prompt=mine"], ["claude", "--append-system-prompt=mine"]),
        (["codex", "-c", "developer_instructions='x'"], ["codex", "-c", "developer_instructions='x'"]),
        (["codex", "use @@SENTRY please"], ["codex", "use @@SENTRY please"]),
        (["make", "all"], ["make", "all"]),
    ],
)
def test_an_agent_is_told_once_in_its_own_way(tmp_path: Path, command: list[str], told: list[str]) -> None:
    text = smart_wrapper.INSTRUCTION
    known = {"{}": text, "developer_instructions={json}": f"developer_instructions={json.dumps(text)}"}
    known["{file}"] = str(tmp_path / "instruction.md")
    got, _ = smart_wrapper.instructed(command, {}, str(tmp_path))
    assert got == [known.get(word, word) for word in told]
    again, _ = smart_wrapper.instructed(got, {}, str(tmp_path))
    assert again == got


def test_opencode_reads_it_from_its_settings_beside_those_of_the_user(tmp_path: Path) -> None:
    mine = {"OPENCODE_CONFIG_CONTENT": '{"instructions":["mine.md"],"model":"m"}'}
    command, env = smart_wrapper.instructed(["opencode"], mine, str(tmp_path))
    assert command == ["opencode"]
    settings = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    assert settings == {"instructions": ["mine.md", str(tmp_path / "instruction.md")], "model": "m"}
    assert smart_wrapper.instructed(["opencode"], env, str(tmp_path))[1] == env
    broken = {"OPENCODE_CONFIG_CONTENT": "{"}
    assert smart_wrapper.instructed(["opencode"], broken, str(tmp_path))[1] == broken


@pytest.mark.parametrize("width", [40, 80, 120, 1000])
def test_the_instruction_is_not_what_it_asks_for(width: int) -> None:
    from tmux_sentry_parser_sentry.parser import SentryParser

    text = smart_wrapper.INSTRUCTION
    rows = tuple(text[at : at + width] for at in range(0, len(text), width))
    at = text.index("@@SENTRY")
    rows += (text[at:], *text.split(" "))
    facts = PaneFacts(identity=PANE)
    assert SentryParser().parse(Lines(pane=PANE, at=0.0, lines=rows), facts) == []
    assert SentryParser().parse(Screen(pane=PANE, at=0.0, lines=rows, cursor=(0, 0)), facts) == []
    asked = '@@SENTRY {"type":"STATUS","stage":"integration","ok":false,"id":"a1b2"}'
    assert len(asked) <= 70 + 1


# -------------------------------------------------------------------------- in a real pane

SIGNED = """
    pipelines:
      - name: wrapped
        match: {window_name: "^job$"}
        stages:
          - name: build
            min_trust: signed
            timeout: 60s
            actions_on_start: [{send_keys: "npm run build"}]
            success_when: [{sentry: {type: STATUS, ok: true}}]
          - name: end
            triggers: [{after_stage_success: build}]
            timeout: 60s
            actions_on_start: [{send_keys: "npm run end"}]
            success_when: [{exit_code: 5}]
"""


def queue(sandbox: Any) -> list[str]:
    words = sandbox.server.run("show-options", "-sqv", "@sentry_q").split()
    return [base64.urlsafe_b64decode(word.split(":")[2] + "==").decode() for word in words]


def agent(sandbox: Any, build: str) -> None:
    """A program that runs under the wrapper; `build` is what it does first."""
    sandbox.program("agent", f"#!/bin/sh\n{build}\nexit 5\n")
    wrapper = f"{sys.executable} {SCRIPT}"
    sandbox.program("npm", f'#!/bin/sh\necho "npm $*" >> typed.log\nexec {wrapper} agent\n')


def test_only_what_the_wrapper_signs_counts_where_the_policy_says_so(sandbox: Any) -> None:
    forged = '@@SENTRY {"type":"STATUS","ok":true}'
    worse = f'@@SENTRY {"0" * 64} 1 {{"type":"STATUS","ok":true}}'
    emit = f'{sys.executable} {SCRIPT} --emit \'{{"type":"STATUS","ok":true,"id":"real"}}\''
    agent(sandbox, f"echo '{forged}'; echo '{worse}'; while [ -e hold ]; do sleep 0.02; done; {emit}")
    (sandbox.work / "hold").touch()
    policy = sandbox.write("signed.yaml", SIGNED)
    sandbox.pane()
    run = sandbox.watch(policy)
    sandbox.wait_typed("npm run build")
    sandbox.wait(lambda: forged in sandbox.server.screen("job"), "the forged lines")
    assert sandbox.typed() == ["npm run build"]
    (sandbox.work / "hold").unlink()
    sandbox.wait(lambda: ("end", "succeeded") in sandbox.stages(), "the end")
    assert run.end(signal.SIGTERM) == 0


def test_emit_signs_in_a_wrapped_pane_and_only_there(sandbox: Any) -> None:
    pane = sandbox.pane()
    line = """tmux-sentry emit '{"type":"STATUS","ok":true}'"""
    sandbox.program("plain", f'#!/bin/sh\n{sandbox_command(sandbox)} emit \'{{"type":"STATUS","ok":true}}\'\n')
    sandbox.server.send(pane, "./plain || plain", "Enter")
    sandbox.wait(lambda: len(queue(sandbox)) == 1, line)
    assert queue(sandbox) == ['{"type":"STATUS","ok":true}']


def sandbox_command(sandbox: Any) -> str:
    return " ".join(str(word) for word in sandbox.command)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_the_shell_function_hands_over_what_it_is_given(sandbox: Any, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    function = sandbox.run("emit", "--print-shell").stdout
    assert function.count("\n") == 2
    said = '{"type":"STATUS","message":"it\'s $(id) `id` \\"q\\" ; \\\\ %s \u00e9 ' + "x" * 3000 + '"}'
    (sandbox.work / "said.json").write_text(said)
    script = sandbox.write("emit.sh", function + 'sentry_emit "$(cat said.json)"\nsentry_emit "{}"\nsentry_emit "{}"\n')
    sandbox.server.send(sandbox.pane(), f"{shell} {script}", "Enter")
    sandbox.wait(lambda: len(queue(sandbox)) == 3, "the events")
    assert queue(sandbox) == [said, "{}", "{}"]
