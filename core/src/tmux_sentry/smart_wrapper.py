#!/usr/bin/env python3
"""Run an AI coding agent in a tmux pane so that tmux-sentry knows when it starts, what it reports and how it ends.

    python smart_wrapper.py [--name NAME] [--no-instruction] [--] COMMAND [ARGUMENT...]
    python smart_wrapper.py --emit JSON        hand one event over, signed if the pane has a key
    python smart_wrapper.py --sign JSON        print it as a signed line, where the tmux server cannot be reached

One file, standard library only: copy it to a host that has Python 3.8 and tmux and no tmux-sentry. What the agent shows
is passed through byte by byte, and so is every argument after the script's own. The agent is told once, in the way that
it takes instructions for a session, to report with one short `@@SENTRY` line; start, exit status and duration are
handed over through the tmux server, signed with the pane's key.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NoReturn

QUEUE, CHANNEL = "@sentry_q", "@sentry_wait"
LONGEST = 4096  # bytes of one event
LONGEST_ENTRY = 8192  # bytes of it in the queue: the reader drops what is longer
FULL = 200_000  # bytes in the queue, above which whoever should read it does not
PANE_FILE = "TMUX_SENTRY_PANE_FILE"
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9@._][A-Za-z0-9@._-]{0,127}")  # never an option
_CHUNK = 65536
_PASSED_ON = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
_OURS = {signal.SIGWINCH, signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT}

# No complete JSON object stands in it: it must not be taken for what it asks for.
INSTRUCTION = (
    "When you have finished a step that you were asked for, print one line by itself, outside of any code block: "
    '@@SENTRY {"type":"STATUS","stage":STAGE,"ok":OK,"id":ID} with STAGE the name of the step in quotes, OK true or '
    "false, and ID a new word in quotes each time. Keep that line under 70 characters, without * or backticks."
)


class NotInTmux(Exception):
    """There is no pane to speak for, or its tmux server does not answer."""


class Pane:
    """The pane that this process runs in: its server, its key, and its way into the queue."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        socket = environ.get("TMUX", "").rsplit(",", 2)[0]
        self.id = environ.get("TMUX_PANE", "")
        if not os.path.isabs(socket) or not re.fullmatch(r"%[0-9]{1,10}", self.id):
            raise NotInTmux("TMUX and TMUX_PANE are not set")
        self._socket = socket
        self._tmux = environ.get("TMUX_SENTRY_TMUX", "tmux")
        self._folder = os.path.join(home_of(environ), "panes")
        self._given = environ.get(PANE_FILE, "")

    @property
    def path(self) -> str:
        """Where its key is. The name holds what makes a pane unique, as pane ids start again with a new server."""
        if not self._given:
            told = self._run("display-message", "-p", "-t", self.id, "#{pid}-#{start_time}-#{pane_pid}")
            if not re.fullmatch(r"[0-9]+-[0-9]+-[0-9]+", told):
                raise NotInTmux(f"tmux does not know pane {self.id}")
            self._given = os.path.join(self._folder, f"{told}-{self.id[1:]}")
        return self._given

    def make_key(self) -> None:
        """The pane's key, made at first; one that is there is kept, so that what it signed stays signed."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._forget_others()
        with self._locked(create=True) as stream:
            kept = _load(stream)
            if "key" not in kept:
                kept = {"key": base64.urlsafe_b64encode(os.urandom(32)).decode(), "seq": 0}
                _store(stream, kept)

    def emit(self, text: str, *, unread: bool = True) -> None:
        """Hand one event over, in the order of the calls, whoever calls in this pane; signed if the pane has a key.

        Where it may not be left `unread`, nothing is put into a queue that nobody reads, or that is full.
        Raises NotInTmux, OSError, and ValueError for what is too long to be read.
        """
        with contextlib.ExitStack() as stack:
            stream = None
            with contextlib.suppress(FileNotFoundError):
                stream = stack.enter_context(self._locked(create=False))
            channel, waiting = self._reader()
            if not unread and (not channel or waiting >= FULL):
                return
            texts = [text] if stream is None else _signed(stream, channel, text)
            command = [word for one in texts for word in ("set-option", "-as", QUEUE, self._entry(one), ";")]
            self._run(*command, *(("wait-for", "-S", channel) if channel else ()))

    def _reader(self) -> tuple[str, int]:
        """The channel of whoever reads the queue, or "", and the length of what waits in it."""
        # One answer for both: what is unset prints no line, and an entry is no channel's name.
        lines = self._run("show-options", "-sqv", CHANNEL, ";", "show-options", "-sqv", QUEUE).split("\n")
        channel = lines[0] if _CHANNEL_NAME.fullmatch(lines[0]) else ""
        return channel, len(lines[-1])

    def _entry(self, text: str) -> str:
        body = base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")
        entry = f"{self.id}:{time.time_ns()}:{body}"
        if len(entry) > LONGEST_ENTRY:
            raise ValueError(f"this is too long for the queue, which takes {LONGEST_ENTRY} bytes")
        return " " + entry

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self._tmux, "-S", self._socket, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInTmux(f"tmux does not answer: {error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[:200]
            raise NotInTmux(f"tmux says: {said}")
        return done.stdout.decode("utf-8", "replace").strip()

    @contextlib.contextmanager
    def _locked(self, create: bool) -> Iterator[IO[str]]:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        with os.fdopen(os.open(self.path, flags, 0o600), "r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream

    def _forget_others(self) -> None:
        """Drop the files of other tmux servers' panes that were not written to for a month."""
        server = os.path.basename(self.path).rsplit("-", 2)[0] + "-"
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            with contextlib.suppress(OSError):
                if not name.startswith(server) and time.time() - os.stat(path).st_mtime > 30 * 86400:
                    os.unlink(path)


def _signed(stream: IO[str], channel: str, text: str) -> list[str]:
    """What to hand over for an event: the text alone where there is no key, and the key first for a new reader."""
    kept = _load(stream)
    if "key" not in kept:
        return [text]
    # Another reader than before may not have the key.
    key = ["KEY " + kept["key"]] if channel != kept.get("channel") else []
    kept["channel"] = channel
    kept["seq"] += 1
    _store(stream, kept)
    return [*key, sign(kept["key"], kept["seq"], text)]


def sign_line(path: str, text: str) -> str:
    """The event as a line to print, signed with the key in the file at `path`. Raises OSError, ValueError."""
    with open(path, "r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        kept = _load(stream)
        if "key" not in kept:
            raise ValueError(f"{path} holds no key")
        kept["seq"] += 1
        _store(stream, kept)
    return f"@@SENTRY {sign(kept['key'], kept['seq'], text)}"


def home_of(environ: Mapping[str, str]) -> str:
    """Where tmux-sentry keeps what is its own."""
    return environ.get("TMUX_SENTRY_HOME") or os.path.join(os.path.expanduser("~"), ".tmux_sentry")


def sign(key: str, seq: int, text: str) -> str:
    """`<mac> <seq> <text>`; the MAC covers what stands behind it, byte by byte."""
    signed = f"{seq} {text}"
    mac = hmac.new(base64.urlsafe_b64decode(key), signed.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"{mac.hexdigest()} {signed}"


def event(text: str) -> str:
    """The event as it is handed over, on one line. Raises ValueError with what is wrong with it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ValueError('an event is an object with a "type", such as {"type":"STATUS","stage":"build","ok":true}')
    line = json.dumps(value, separators=(",", ":"))
    if len(line) > LONGEST:
        raise ValueError(f"an event has at most {LONGEST} bytes, and this one {len(line)}")
    return line


# ------------------------------------------------------------------------------ telling the agent


def agent_of(command: Sequence[str]) -> str:
    """The agent that a command line starts, or ""."""
    name = os.path.basename(command[0])
    return name if name in ("claude", "codex", "gemini", "qwen", "opencode", "aider") else ""


def instructed(command: list[str], environ: dict[str, str], folder: str) -> tuple[list[str], dict[str, str]]:
    """The command and the environment with the instruction in them, once, where the agent has a way to take it.

    What a user says in that way himself stays as it is, and nothing is added to it.
    """
    agent, arguments = agent_of(command), command[1:]
    if any("@@SENTRY" in argument for argument in arguments):
        return command, environ
    if agent in ("claude", "qwen"):
        if not _has(arguments, "--append-system-prompt", "--append-system-prompt-file", "--system-prompt"):
            return [command[0], "--append-system-prompt", INSTRUCTION, *arguments], environ
    elif agent == "codex":
        if not any("developer_instructions" in argument for argument in arguments):
            # A JSON string is a TOML string, too.
            return [command[0], "-c", "developer_instructions=" + json.dumps(INSTRUCTION), *arguments], environ
    elif agent == "gemini":
        # It has no such option: the instruction is its first message, where the user gives none.
        if not arguments:
            return [command[0], "-i", INSTRUCTION], environ
    elif agent == "aider":
        path = _written(folder)
        return ([command[0], "--read", path, *arguments] if path not in arguments else command), environ
    elif agent == "opencode":
        return command, _with_opencode(environ, _written(folder))
    return command, environ


def _has(arguments: Sequence[str], *options: str) -> bool:
    return any(argument.partition("=")[0] in options for argument in arguments)


def _written(folder: str) -> str:
    """The instruction as a file."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "instruction.md")
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
        if stream.read() == INSTRUCTION + "\n":
            return path
    fresh = f"{path}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as stream:
        stream.write(INSTRUCTION + "\n")
    os.replace(fresh, path)
    return path


def _with_opencode(environ: dict[str, str], path: str) -> dict[str, str]:
    """opencode reads settings from a variable, over those in its files."""
    try:
        settings = json.loads(environ.get("OPENCODE_CONFIG_CONTENT") or "{}")
        files = [*(one for one in settings.get("instructions", []) if one != path), path]
    except (ValueError, TypeError, AttributeError):
        return environ  # the user's own, and not for us to understand
    return {**environ, "OPENCODE_CONFIG_CONTENT": json.dumps({**settings, "instructions": files})}


# -------------------------------------------------------------------------------------- running it


def run(command: list[str], environ: dict[str, str]) -> int:
    """Run the command and return its exit status, 128 and the signal's number when one ended it.

    On a terminal the command gets one of its own, and every byte passes both ways; elsewhere it gets what we have.
    """
    if not (os.isatty(0) and os.isatty(1)):
        return _plain(command, environ)
    before = termios.tcgetattr(0)
    master, slave = os.openpty()
    _copy_size(master)
    termios.tcsetattr(slave, termios.TCSANOW, before)
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
        os.set_inheritable(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in _PASSED_ON | _OURS:
        signal.signal(number, lambda *_: None)
    pid = os.fork()  # now, as its end must not be missed; what is caught here it does not inherit
    if pid == 0:
        _become(command, environ, master, slave)
    os.close(slave)
    try:
        tty.setraw(0, termios.TCSANOW)  # what is typed ahead stays
        status = _pass_on(pid, master, wake, before)
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(0, termios.TCSANOW, before)
        signal.set_wakeup_fd(-1)
    return _status(status)


def _become(command: list[str], environ: dict[str, str], master: int, slave: int) -> NoReturn:
    """In the child: the command, on a terminal of its own."""
    try:
        os.close(master)
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for number in (0, 1, 2):
            os.dup2(slave, number)
        if slave > 2:
            os.close(slave)
        os.execvpe(command[0], command, environ)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _pass_on(pid: int, master: int, wake: int, before: list[Any]) -> int:
    """Until the command ends: keys to it, output from it, its size and the signals that are for it.

    Returns its wait status. A process that it leaves behind on its terminal is not waited for. Keys wait here while the
    command does not read: it may itself wait for its output to be taken.
    """
    os.set_blocking(master, False)
    inputs, keys, here, status = [0, master, wake], b"", True, None
    while True:
        wanted = [fd for fd in inputs if fd != 0 or len(keys) < _CHUNK]
        readable, writable, _ = select.select(wanted, [master] if keys else [], [])
        if wake in readable:
            for number in os.read(wake, 1024):
                _signalled(number, pid if status is None else 0, master, before)
            ended, told = os.waitpid(pid, os.WNOHANG) if status is None else (0, 0)
            if ended:
                status = told
        if 0 in readable:
            typed = _read(0)
            keys += typed
            if not typed:
                inputs.remove(0)
                here = _hang_up(pid)
        if writable:
            with contextlib.suppress(BlockingIOError):
                keys = keys[os.write(master, keys) :]
        if master in readable:
            output = _read(master)
            if not output:  # nobody has the other side any more
                return os.waitpid(pid, 0)[1] if status is None else status
            here = here and (_write(1, output) or _hang_up(pid))
        elif status is not None and not select.select([master], [], [], 0)[0]:
            return status


def _signalled(number: int, pid: int, master: int, before: list[Any]) -> None:
    if number == signal.SIGWINCH:
        _copy_size(master)
    elif number == signal.SIGTSTP:
        # Whoever gets the terminal meanwhile wants it as it was.
        termios.tcsetattr(0, termios.TCSANOW, before)
        caught = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # by the default, which stops nobody whom no shell could wake again
        signal.signal(signal.SIGTSTP, caught)
    if number in (signal.SIGTSTP, signal.SIGCONT):
        with contextlib.suppress(termios.error):
            tty.setraw(0, termios.TCSANOW)
        _copy_size(master)
    elif number in _PASSED_ON and pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _hang_up(pid: int) -> bool:
    """Our terminal is gone: the command hears of it as if it had been its own. False: nobody is here any more."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
    return False


def _read(where: int) -> bytes:
    """What is there; b"" at the end, which Linux tells of a terminal by an error."""
    try:
        return os.read(where, _CHUNK)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def _write(where: int, data: bytes) -> bool:
    """False where nobody takes it any more."""
    try:
        while data:
            data = data[os.write(where, data) :]
    except OSError:
        return False
    return True


def _copy_size(master: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))


def _plain(command: list[str], environ: dict[str, str]) -> int:
    try:
        child = subprocess.Popen(command, env=environ)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: child.send_signal(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the child, too
    status = child.wait()
    return 128 - status if status < 0 else status


def _status(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def wrap(command: list[str], name: str, instruct: bool) -> int:
    """Run an agent: tell it, report its start, run it, report its end. Returns its exit status."""
    environ = dict(os.environ)
    pane = None
    with contextlib.suppress(NotInTmux, OSError):
        found = Pane(environ)
        found.make_key()
        environ[PANE_FILE] = found.path
        pane = found
    if pane is None:
        sys.stderr.write("smart_wrapper: not in tmux, so nothing is reported\n")
    elif instruct:
        with contextlib.suppress(OSError):
            command, environ = instructed(command, environ, home_of(environ))
    data = {"agent": agent_of(command), "program": os.path.basename(command[0]), "name": name}
    began = time.monotonic()
    _report(pane, {"type": "STATE", "state": "starting", "id": _id(), "data": data})
    status = run(command, environ)
    seconds = round(time.monotonic() - began, 3)
    _report(pane, {"type": "EXIT", "code": status, "seconds": seconds, "id": _id(), "data": data})
    return status


def _report(pane: Pane | None, value: dict[str, Any]) -> None:
    """Reporting must never keep an agent from its work."""
    if pane is not None:
        with contextlib.suppress(NotInTmux, OSError, ValueError):
            pane.emit(event(json.dumps(value)))


def _id() -> str:
    return os.urandom(6).hex()


def _load(stream: IO[str]) -> dict[str, Any]:
    stream.seek(0)
    try:
        kept = json.loads(stream.read(4096) or "{}")
    except ValueError:
        return {}
    sound = isinstance(kept, dict) and isinstance(kept.get("key"), str) and isinstance(kept.get("seq"), int)
    return kept if sound else {}


def _store(stream: IO[str], kept: dict[str, Any]) -> None:
    stream.seek(0)
    stream.truncate()
    json.dump(kept, stream)
    stream.flush()


def main(arguments: Sequence[str]) -> int:
    """The script's own options come before the command; what follows belongs to the command."""
    name, instruct = "", True
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            break
        if word in ("-h", "--help"):
            sys.stdout.write(__doc__ or "")
            return 0
        if word == "--sign" and left:
            return _sign(left.pop(0))
        if word == "--no-instruction":
            instruct = False
        elif word == "--name" and left:
            name = left.pop(0)
        elif word.startswith("--name="):
            name = word[len("--name=") :]
        elif word == "--emit" and left:
            return _emit(left.pop(0))
        elif word.startswith("-"):
            return _usage("no option " + word)
        else:
            left.insert(0, word)
            break
    if not left:
        return _usage("no command")
    if shutil.which(left[0]) is None:
        sys.stderr.write(f"smart_wrapper: no program {left[0]}\n")
        return 127
    return wrap(left, name, instruct)


def _emit(text: str) -> int:
    try:
        line = event(text)  # first: what is wrong with it is wrong everywhere
        Pane(os.environ).emit(line)
    except (ValueError, NotInTmux, OSError) as error:
        sys.stderr.write(f"smart_wrapper: {error}\n")
        return 2 if isinstance(error, ValueError) else 1
    return 0


def _sign(text: str) -> int:
    try:
        line = sign_line(os.environ.get(PANE_FILE, ""), event(text))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"smart_wrapper: {error}\n")
        return 2 if isinstance(error, ValueError) else 1
    sys.stdout.write(line + "\n")
    return 0


def _usage(what: str) -> int:
    sys.stderr.write(f"smart_wrapper: {what}; see: smart_wrapper.py --help\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
