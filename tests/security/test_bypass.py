"""No text leaves but through the outlet: the code is read for whatever writes, and each place has its reason here."""

from __future__ import annotations

from pathlib import Path

import pytest
from walk import exits

ROOT = Path(__file__).resolve().parents[2]
CORE = "core/src/tmux_sentry/"
OUTPUT = "the outlet itself"
OURS = "a file that the program itself reads, in a directory of its own"
CONSTANT = "prints only what stands in the source"
PROTOCOL = "bytes for a program on the other end of a pipe or socket, not for people"
LOADED = "what a plugin prints while it is loaded goes to stderr, to which it could write by itself"
MESSAGE = "messages without secrets (engine/conductor.py), of which each part passes `clean`"
STDOUT = "plugins/notify_stdout/src/tmux_sentry_notify_stdout/notifier.py"

DOCKER = "plugins/check_docker/src/tmux_sentry_check_docker/"
#: Modules that are programs of their own -> why they may write.
PROGRAMS = {
    "scripts/smart_wrapper.py": "the same file",
    f"{CORE}smart_wrapper.py": "passes an agent's own bytes through, and has nothing of the core on its host",
}
#: (module, function, what writes there) -> why it may.
ALLOWED = {
    (f"{CORE}cli/output.py", "_rich_table", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "_rich_table", "rich console"): "renders cells that passed the outlet, into a string",
    (f"{CORE}cli/output.py", "_rich_table", "print"): "renders cells that passed the outlet, into a string",
    (f"{CORE}cli/output.py", "_plain_table", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "emit_json", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "emit_line", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "say", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "warn", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "progress", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "fail", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "trace", "click.echo"): OUTPUT,
    (f"{CORE}cli/output.py", "log_to_stderr", "log handler"): OUTPUT,
    (f"{CORE}cli/output.py", "_CleanHandler", "log handler"): OUTPUT,
    (f"{CORE}cli/hooks.py", "clean_hooks", "hook"): "hands what Python prints by itself to the outlet",
    (f"{CORE}cli/main.py", "_flushed", "standard stream"): "points a broken stdout at /dev/null",
    (f"{CORE}cli/main.py", "_flushed", "file"): "opens /dev/null",
    (f"{CORE}cli/doctor.py", "_build", "standard stream"): LOADED,
    (f"{CORE}cli/doctor.py", "_answering", "standard stream"): LOADED,
    (f"{CORE}cli/approvals.py", "login", "click.echo"): "the address of a login, which was asked for itself",
    (f"{CORE}registry.py", "load_registry", "standard stream"): LOADED,
    (f"{CORE}cli/agent_hooks.py", "install", "click.echo"): "hooks for pasting, whole: constants",
    (f"{CORE}cli/agent_hooks.py", "_show", "click.echo"): "hooks for pasting, whole: constants and our own path",
    (f"{CORE}cli/completions.py", "command", "click.echo"): CONSTANT,
    (f"{CORE}cli/hosts.py", "_decide", "click prompt"): CONSTANT,
    (f"{CORE}demo.py", "TerminalApprovals._ask", "click prompt"): CONSTANT,
    (f"{CORE}cli/init.py", "_write", "file"): CONSTANT,
    (f"{CORE}cli/demo.py", "_watch", "file"): "the demo's hosts file, gone with the demo",
    (f"{CORE}cli/secrets.py", "set_", "click.echo"): "an encrypted value, for pasting",
    (f"{CORE}cli/secrets.py", "_read_value", "click prompt"): CONSTANT,
    (f"{CORE}cli/secrets.py", "_print_exactly", "click.echo"): "`secrets get --show`, which asks for the secret itself",
    (f"{CORE}cli/secrets.py", "_print_exactly", "standard stream"): "`secrets get --show` into a file or a pipe",
    (f"{CORE}cli/plugins.py", "_agree", "click prompt"): CONSTANT,
    (f"{CORE}notify/undelivered.py", "show", "file"): "messages as they are in the outbox: redacted and clean",
    ("plugins/notify_apprise/src/tmux_sentry_notify_apprise/quiet.py", "silence", "log handler"): (
        "keeps Apprise's own log, in which are its URLs, from every other handler"
    ),
    (f"{CORE}plugins/allow.py", "write", "file"): "plugins.allow, which is read back and compared",
    (f"{CORE}config/key_file.py", "make_key_file", "file"): "a key, into a file of its own with mode 0600",
    (f"{CORE}config/replacing.py", "replace_file", "file"): "the user's own file with one value changed",
    (f"{CORE}config/replacing.py", "back_up", "file"): "a copy of the user's own file",
    (f"{CORE}control/client.py", "ask", "socket"): "a request to the running instance of the same user",
    (f"{CORE}control/server.py", "ControlServer._take", "socket"): CONSTANT,
    (f"{CORE}control/server.py", "ControlServer._converse", "socket"): "answers that passed data_out",
    (f"{CORE}watchdog.py", "Watchdog._tell", "socket"): CONSTANT,
    (f"{CORE}transport/ssh.py", "SshChannel.write", "socket"): PROTOCOL,
    (f"{CORE}transport/ssh_dial.py", "_AtDebug", "log handler"): "hands paramiko's log to ours",
    (f"{CORE}transport/ssh_dial.py", "_quieten_paramiko", "log handler"): "hands paramiko's log to ours",
    (f"{CORE}transport/local.py", "LocalChannel.write", "file descriptor"): PROTOCOL,
    (f"{CORE}transport/local.py", "LocalChannel.close", "file descriptor"): PROTOCOL,
    (f"{CORE}transport/known_hosts.py", "_replace", "file"): "host keys, as OpenSSH reads them",
    (f"{CORE}recording/files.py", "create", "file"): "a recording (0600): all in it passes the redactor in tape.py",
    (f"{CORE}recording/terminal.py", "running", "file"): PROTOCOL,
    (f"{CORE}recording/terminal.py", "Terminal._pour", "file descriptor"): PROTOCOL,
    (f"{CORE}state/lock.py", "InstanceLock.acquire", "file"): OURS,
    (f"{CORE}state/backup.py", "_partial", "file"): OURS,
    (f"{CORE}state/restore.py", "restore", "file"): OURS,
    (f"{CORE}state/database.py", "_create", "file"): OURS,
    (STDOUT, "StdoutNotifier.send", "standard stream"): MESSAGE,
    (STDOUT, "_drawn", "rich console"): MESSAGE,
    (STDOUT, "_drawn", "print"): MESSAGE,
    (f"{DOCKER}programs.py", "Program.write", "file descriptor"): "questions to Docker, made of checked names",
    (f"{DOCKER}streams.py", "SocketStream.write", "socket"): "questions to Docker, made of checked names",
    ("plugins/check_http/src/tmux_sentry_check_http/store.py", "_private", "file"): (
        "an empty database for us alone; verified deliveries go into it as they came"
    ),
    ("plugins/approval_file/src/tmux_sentry_approval_file/folder.py", "Folder._make", "file"): (
        "requests without secrets (engine/conductor.py), written by `clean` and `visible`"
    ),
}  # fmt: skip
#: Not shipped to be run: servers and samples for tests.
LEFT_OUT = f"{CORE}testing/"

SOURCES = sorted([*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("scripts/*.py")])


def found() -> dict[tuple[str, str, str], int]:
    """Every exit of the program, with its line."""
    paths = {path.relative_to(ROOT).as_posix(): path for path in SOURCES}
    return {
        one.key: one.line
        for name, path in paths.items()
        if not name.startswith((LEFT_OUT, "scripts/workspace_build.py"))
        for one in exits(path.read_text(), name)
    }


def test_every_place_that_writes_is_known_and_has_its_reason() -> None:
    new = {key: line for key, line in found().items() if key not in ALLOWED and key[0] not in PROGRAMS}
    assert new == {}, "let it out through cli/output.py or security/outlet.py, or say in ALLOWED why not"


def test_no_reason_outlives_its_place() -> None:
    assert set(ALLOWED) - set(found()) == set()


def test_the_code_is_there() -> None:
    assert len(SOURCES) > 100


PLANTED = {
    "print(text)": "print",
    "click.echo(text)": "click.echo",
    "echo(text, err=True)": "click.echo",
    "click.confirm(text)": "click prompt",
    "sys.stdout.write(text)": "standard stream",
    "w = sys.stderr.buffer": "standard stream",
    "stream = mine or sys.stdout": "standard stream",
    "with redirect_stdout(sys.stderr): pass": "standard stream",
    "from sys import stdout": "standard stream",
    "from click import echo as say": "renamed import",
    "os.write(1, data)": "file descriptor",
    "os.write(fd, data)": "file descriptor",
    "Console().out(text)": "rich console",
    "traceback.print_exc()": "traceback",
    "logging.getLogger().addHandler(h)": "log handler",
    "logging.basicConfig()": "log handler",
    "class Loud(logging.StreamHandler[TextIO]): pass": "log handler",
    "open(path, 'w')": "file",
    "open(path, mode)": "file",
    "open(path, mode='a')": "file",
    "path.open('w')": "file",
    "os.fdopen(fd, 'wb')": "file",
    "os.open(path, os.O_RDWR | os.O_CREAT)": "file",
    "path.write_text(text)": "file",
    "sock.sendall(data)": "socket",
    "sock.send(text.encode())": "socket",
    "sys.excepthook = mine": "hook",
    "a, threading.excepthook = b": "hook",
    "self._redact(clean(text, 200))": "cut before redaction",
    "redact(f'{clean(text)} {more}')": "cut before redaction",
}


@pytest.mark.parametrize("line", PLANTED)
def test_a_planted_bypass_is_found(line: str) -> None:
    (one, *_) = exits(f"class Room:\n    def leak(self):\n        {line}\n", "room.py")
    assert one.key[0::2] == ("room.py", PLANTED[line])
    assert one.function.startswith("Room.leak")
    assert one.line == 3


@pytest.mark.parametrize(
    "line",
    ["open(path)", "path.open('rb')", "os.open(path, os.O_RDONLY)", "notifier.send(message)", "clean(redact(text))",
     "sys.stdout.isatty()", "log.info(text)", "output.say(text)"],
)  # fmt: skip
def test_what_does_not_write_is_left_alone(line: str) -> None:
    assert exits(f"def f():\n    {line}\n", "room.py") == []


def test_a_bypass_planted_into_the_real_program_is_new() -> None:
    path = ROOT / CORE / "cli" / "status.py"
    source = path.read_text().replace("session = begin(env_file)", "session = begin(env_file); print(session)")
    assert [one.key for one in exits(source, f"{CORE}cli/status.py") if one.key not in ALLOWED] == [
        (f"{CORE}cli/status.py", "command", "print")
    ]
