"""Hostile texts through every exit: no raw control byte comes out, nothing in them runs, nobody is pinged."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import EmailMessage
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from typing import Any

from figure import Figure
from hostile import corpus
from outs import exits, fast_folder

from tmux_sentry.security import escape
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import INVISIBLE, clean
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.tmux_server import TmuxServer, running_server
from tmux_sentry.watchdog import Watchdog

#: What acts or hides: controls but the newline, DEL, C1, bidirectional and zero-width characters, half pairs.
RAW = re.compile(f"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff{INVISIBLE}]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PROGRESS = "\r\x1b[K"
_ENTRY = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (WARNING|ERROR) |  |tmux-sentry: )")
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@\w")
ROOT = Path(__file__).resolve().parents[2]


def measure() -> list[Figure]:
    with fast_folder("sentry-out-") as name, _inside(Path(name)) as folder:
        texts = corpus(folder / "canary")
        raw, passed = _through_exits(texts, folder)
        forged, sinks = _through_sinks(texts, folder)
        shown, bad = _through_tmux(texts, folder)
        told = _told_to_systemd(folder)
        files = [path for place in (folder, Path.home(), ROOT) for path in place.glob("*canary*")]
    return [
        _figure(f"{len(texts)} strings x {passed} exits", raw, "raw control bytes", len(texts) >= 150),
        _figure(f"{shown} windows, titles and directories of a real tmux x {len(COMMANDS)} commands", bad,
                "raw control bytes", shown >= 150),
        _figure(f"{len(texts)} strings x {sinks} sinks", forged, "pings, links, tags or commands"),
        _figure("sd_notify", told, "texts from outside"),
        _figure("what they tried to run", files, "canary files"),
    ]  # fmt: skip


def _figure(tried: str, found: list[Any], what: str, enough: bool = True) -> Figure:
    first = f", first: {found[0]!r}" if found else ""
    return Figure(name="hostile text", shown=f"{tried}: {len(found)} {what}{first}", ok=enough and not found)


@contextmanager
def _inside(folder: Path) -> Iterator[Path]:
    """A relative name that something writes to would turn up there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


# ------------------------------------------------------------------------------- our own exits


def _through_exits(texts: list[str], folder: Path) -> tuple[list[Any], int]:
    """What came out raw: (exit, text, byte); and how many exits there are."""
    found: list[Any] = []
    with exits(folder, Redactor(["a-configured-secret"])) as ways:
        for name, way in ways.items():
            ours = len(_COLOUR.findall(way("harmless")))
            for text in texts:
                out = way(text).replace(_PROGRESS, "")
                # Colours are ours, as long as there are no more of them than around a harmless text.
                if len(_COLOUR.findall(out)) <= ours:
                    out = _COLOUR.sub("", out)
                if bad := RAW.search(out):
                    found.append((name, text[:40], bad.group()))
                if name.startswith("log") and any(not _ENTRY.match(line) for line in out.splitlines()):
                    found.append((name, text[:40], "a forged entry"))
    return found, len(ways)


def _told_to_systemd(folder: Path) -> list[Any]:
    """What sd_notify gets that is not one of its fixed words."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(folder / "notify"))
        heard.setblocking(False)
        watchdog = Watchdog(FakeClock(), {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "1000000"})
        watchdog.ready(), watchdog.progress(), watchdog.stopping()
        words = [heard.recv(4096) for _ in range(3)]
    return [word for word in words if word not in (b"READY=1", b"WATCHDOG=1", b"STOPPING=1")]


# ----------------------------------------------------------------------- what plugins write into


def _through_sinks(texts: list[str], folder: Path) -> tuple[list[Any], int]:
    """What a sink would act on: (sink, text); and how many sinks there are."""
    sinks: dict[str, Callable[[str], bool]] = {
        "HTML": lambda text: _tags(f"<p>{escape.for_html(text)}</p>") == ["p"],
        "HTML attribute": lambda text: _tags(f'<p title="{escape.for_html(text)}"></p>') == ["p"],
        "Slack": lambda text: not re.search("[<>]|```|(?<![a-z0-9.])@(here|channel|everyone)", escape.for_slack(text)),
        "Markdown": lambda text: (
            set(_tags(rendered := _markdown(text))) <= {"p", "br"} and not _MENTION.search(rendered)
        ),
        "WeChat": lambda text: not set(escape.for_wechat(text)) & set("<>[]@`*#"),
        "mail header": lambda text: _headers(text) == ["Subject", "To"],
        "log": lambda text: len(escape.for_log(text).splitlines()) <= 1,
        "terminal": lambda text: not RAW.search(escape.for_terminal(text)),
    }
    found = [(name, text[:40]) for name, harmless in sinks.items() for text in texts if not harmless(text)]
    return found + _through_shell(texts, folder) + _through_formats(texts, folder), len(sinks) + 2


def _tags(page: str) -> list[str]:
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.extend([tag, *(n for n, _ in attrs if n != "title")])  # type: ignore[method-assign]
    parser.feed(page)
    parser.close()
    return seen


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").render(escape.for_markdown(text)))


def _headers(text: str) -> list[str]:
    mail = EmailMessage()
    mail["Subject"] = escape.for_mail_header(text)
    mail["To"] = "a@example.org"
    return message_from_bytes(mail.as_bytes()).keys()


def _through_shell(texts: list[str], folder: Path) -> list[Any]:
    """Each as a word of one script of a real shell, which prints them."""
    script = folder / "words.sh"
    script.write_text("".join(f"printf '%s\\n' {escape.shell_word(text)}\n" for text in texts))
    done = subprocess.run(["sh", str(script)], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    shown = done.stdout.splitlines()
    return [("shell", text[:40]) for text, out in zip_longest(texts, shown, fillvalue="") if clean(text, 4000) != out]


def _through_formats(texts: list[str], folder: Path) -> list[Any]:
    """Each inside a format that a real tmux expands."""
    found = []
    with running_server() as server:
        server.run("new-session", "-d", "-c", str(folder))
        for text in texts:
            shown = server.show("", f"={escape.for_tmux_format(text)}=")
            # "##[" stays as it is written: tmux leaves that to the drawing of styles.
            if shown.replace("##[", "#[") != f"={clean(text, 200)}=".replace("##[", "#["):
                found.append(("tmux format", text[:40], shown[:40]))
    return found


# --------------------------------------------------------------------------------- a real tmux

#: What is run on the server with the hostile names; each in text and as JSON where it has both.
COMMANDS = (
    ("status", "--hosts", "hosts.yaml"),
    ("status", "--hosts", "hosts.yaml", "--json"),
    ("check", "--policy", "policy.yaml", "--hosts", "hosts.yaml"),
    ("check", "--policy", "policy.yaml", "--hosts", "hosts.yaml", "--json"),
    ("--log-level", "DEBUG", "run", "--policy", "some.yaml", "--hosts", "hosts.yaml", "--dry-run"),
)
_POLICY = """
pipelines:
  - name: all
    match: {window_name: "%s"}
    stages:
      - {name: say, actions_on_start: [{send_keys: "echo hello"}, {notify: {title: "${pane.window_name}", message: x}}]}
"""


def _through_tmux(texts: list[str], folder: Path) -> tuple[int, list[Any]]:
    """How many names a server really had, and what the commands showed raw: (command, byte, what is around it)."""
    found: list[Any] = []
    with running_server() as server:
        names = _fill(server, texts, folder)
        (folder / "hosts.yaml").write_text(
            f"hosts:\n- {{name: here, transport: local, tmux: {{socket_path: {server.address.socket_path}}}}}\n"
        )
        (folder / "policy.yaml").write_text(_POLICY % ".")
        (folder / "some.yaml").write_text(_POLICY % "touch|kill-server|approve")
        for name in ("hosts.yaml", "policy.yaml"):
            (folder / name).chmod(0o600)
        env = {**os.environ, "TMUX_SENTRY_HOME": str(server.directory / "home")}
        for arguments in COMMANDS:
            argv = [sys.executable, "-m", "tmux_sentry", *arguments]
            done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, timeout=60, check=False)
            out = (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
            if done.returncode or not done.stdout + done.stderr:
                found.append((arguments, done.returncode, out[-300:]))
            found += [(arguments[:1], bad.group(), out[bad.start() - 20 : bad.end() + 20]) for bad in RAW.finditer(out)]
            if "--json" in arguments and done.stdout:
                json.loads(done.stdout)
    return names, found


def _fill(server: TmuxServer, texts: list[str], folder: Path) -> int:
    """Windows whose programs give them each text as a name and a title, and go to a directory of that name.

    Returns how many names tmux took; it refuses what is not printable for it.
    """
    server.run("new-session", "-d", "-x", "80", "-y", "24", "sleep 1000")
    server.run("set-option", "-g", "allow-rename", "on")
    server.run("set-option", "-g", "automatic-rename", "off")
    for number, text in enumerate(texts):
        raw = text.encode("utf-8", "surrogatepass")
        said = folder / f"say-{number}"
        said.write_bytes(b"\x1bk" + raw + b"\x1b\\\x1b]2;" + raw + b"\x1b\\\x1b]7;" + raw + b"\x1b\\" + raw)
        place = folder / "places" / str(number)
        place.mkdir(parents=True)
        with suppress(OSError, ValueError):  # what no directory can be called
            inner = place / os.fsdecode(raw.replace(b"/", b"_"))
            inner.mkdir()
            place = inner
        script = f"cd {shlex.quote(str(place))}; cat {shlex.quote(str(said))}; exec sleep 1000"
        server.run("new-window", "-d", "-n", "unnamed", "sh", "-c", script)
    seen: list[str] = []

    def settled() -> bool:
        before, seen[:] = (
            list(seen),
            server.run("list-panes", "-s", "-F", "#{pane_current_command} #{window_name}").split("\n"),
        )
        return before == seen and all(line.startswith("sleep ") for line in seen)

    server.wait(settled, "the names", timeout=30)
    return sum(line != "sleep unnamed" for line in seen)
