"""What a person, a file or a broken pipe gets to see of a message."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tmux_sentry import Delivery, Level, Message
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry_notify_stdout.notifier import StdoutNotifier


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def message(clock: FakeClock) -> Callable[..., Message]:
    def make(level: Level = Level.WARNING, title: str = "build failed", **more: object) -> Message:
        return Message(id="m1", at=clock.now(), level=level, event="stage.failed", title=title, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOWrapper, Callable[[], str]]]:
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w", encoding="utf-8")

    def read_line() -> str:
        """What has come until a line is whole: the kernel may hand a pty's output over in parts."""
        shown = b""
        while not shown.endswith(b"\n"):
            shown += os.read(ours, 65536)
        return shown.decode()

    yield stream, read_line
    stream.close()
    os.close(ours)


def send_plain(message: Message, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    assert StdoutNotifier(stream).send(message).outcome is Delivery.DELIVERED
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("level", "printed"),
    [(Level.DEBUG, False), (Level.INFO, False), (Level.WARNING, True), (Level.ERROR, True), (Level.CRITICAL, True)],
)
def test_a_pipe_gets_one_plain_line_from_warning_on(message, level: Level, printed: bool) -> None:
    out = send_plain(message(level, text="3 problems", fields={"pane": "work:1.0"}))
    if not printed:
        assert out == ""
        return
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(FakeClock().now()))
    assert out == f"{when} {level.name:8} build failed 3 problems pane=work:1.0\n"


@pytest.mark.parametrize("level", list(Level))
def test_a_terminal_gets_every_message_in_colour(terminal, message, level: Level) -> None:
    stream, read = terminal
    assert StdoutNotifier(stream).send(message(level)).outcome is Delivery.DELIVERED
    shown = read()
    assert "build failed" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert shown.count("\n") == 1


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_follows_the_users_environment(env: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    code = (
        "from tmux_sentry import Level, Message\n"
        "from tmux_sentry_notify_stdout.notifier import StdoutNotifier\n"
        "StdoutNotifier().send(Message(id='1', at=0.0, level=Level.ERROR, event='e', title='boom'))\n"
    )
    whole = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path), **env}
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=whole, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "boom" in shown
    # Bold may stay under NO_COLOR, which is about colours.
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)) is coloured


def test_markup_in_a_message_is_text(terminal, message) -> None:
    stream, read = terminal
    StdoutNotifier(stream).send(message(title="[red]x[/red] :boom: [link=file:///etc/passwd]y[/link]"))
    assert "[red]x[/red] :boom: [link=file:///etc/passwd]y[/link]" in re.sub(r"\x1b\[[0-9;]*m", "", read())


def test_a_long_message_stays_one_line_on_a_terminal(terminal, message) -> None:
    stream, read = terminal
    StdoutNotifier(stream).send(message(text="word " * 200))
    assert read().count("\n") == 1


def test_escape_sequences_in_a_message_do_not_reach_the_output(message) -> None:
    out = send_plain(message(title="\x1b]0;owned\x07a\nb", text="\x1b[2Jc", fields={"k\r": "\x9bv"}))
    assert out.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)


@pytest.mark.parametrize("way", ["echo approve > /a/q.txt", f"echo approve > /{'x' * 4000}/q.txt", "构建\x1b[2J"])
def test_where_something_is_asked_each_way_to_answer_is_a_line(message, way: str) -> None:
    out = send_plain(message(Level.APPROVAL, "approve build?", answer=f"{way}\ntmux-sentry approve a1"))
    first, *ways = out.splitlines()
    assert first.endswith("approve build?")
    assert ways == [f"  {way.removesuffix(chr(27) + '[2J')}", "  tmux-sentry approve a1"]


def test_what_the_encoding_lacks_is_written_out(message) -> None:
    assert "\\u6784\\u5efa ok" in send_plain(message(title="构建 ok"), encoding="ascii")


def test_a_reader_that_has_left_is_a_permanent_failure(message) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    # The raw stream has no buffer that would complain once more when it is closed.
    with io.TextIOWrapper(io.FileIO(write_end, "w"), encoding="utf-8", write_through=True) as stream:
        result = StdoutNotifier(stream).send(message())
    assert result.outcome is Delivery.PERMANENT
    assert "Broken pipe" in result.detail


def test_a_closed_output_is_a_permanent_failure(message) -> None:
    stream = io.StringIO()
    stream.close()
    assert StdoutNotifier(stream).send(message()).outcome is Delivery.PERMANENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_is_tried_again(message) -> None:
    raw = io.FileIO(os.open("/dev/full", os.O_WRONLY), "w")
    with io.TextIOWrapper(raw, encoding="utf-8", write_through=True) as stream:
        result = StdoutNotifier(stream).send(message())
    assert result.outcome is Delivery.RETRY
    assert "No space left" in result.detail
