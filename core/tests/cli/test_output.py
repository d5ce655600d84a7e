"""What leaves through a table, JSON, a line or the log."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from tmux_sentry.cli import output
from tmux_sentry.cli.app import App
from tmux_sentry.security.redact import Redactor

SECRET = "hunter2hunter2"
HIDE = Redactor([SECRET])
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def printed(call, *args, **kwargs) -> tuple[str, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        call(*args, **kwargs)
    return out.getvalue(), err.getvalue()


def test_a_plain_table_is_aligned() -> None:
    out, _ = printed(output.table, ["host", "panes", "error"], [["nas", 12, None], ["构建机", 3, "gone"]])
    assert out == "HOST    PANES  ERROR\nnas     12\n构建机  3      gone\n"


def test_no_way_out_shows_a_secret_or_a_control_byte() -> None:
    text = f"a {SECRET} \x1b[31mred\x1b[0m \x9b2J\x07\x7f"
    for call, args in [
        (output.table, (["c"], [[text]])),
        (output.emit_json, ({"key": [text, {"nested": (text,)}], SECRET: 1},)),
        (output.say, (text,)),
        (output.warn, (text,)),
        (output.fail, ([text, "more"], text)),
    ]:
        shown = "".join(printed(call, *args, redact=HIDE))
        assert SECRET not in shown, call
        assert "[redacted]" in shown, call
        assert not CONTROL.search(shown), call


def test_json_keeps_exact_text() -> None:
    out, _ = printed(output.emit_json, {"keys": "a\x1b[31m\u202e构\n", "n": 1.5, "none": None})
    assert json.loads(out) == {"keys": "a\x1b[31m\u202e构\n", "n": 1.5, "none": None}
    assert out.isascii()


def test_a_cell_with_newlines_stays_one_row() -> None:
    out, _ = printed(output.table, ["c"], [["a\nb\tc"]])
    assert out.splitlines() == ["C", "a b c"]


def test_a_warning_goes_to_stderr_in_one_line() -> None:
    assert printed(output.warn, "a\nb") == ("", "tmux-sentry: warning: a b\n")


@pytest.mark.parametrize("columns", [40, 120])
def test_a_table_on_a_terminal_shows_markup_as_text(columns: int) -> None:
    ours, theirs = pty.openpty()
    code = "from tmux_sentry.cli import output; output.table(['name', 'why'], [['[red]x[/red]', ':boom:']])"
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": str(columns)}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=env, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "[red]x[/red]" in shown
    assert ":boom:" in shown
    assert "─" in shown


def test_the_log_shows_no_secret_that_was_learnt_after_it_was_opened() -> None:
    app = App()
    logger = logging.getLogger("tmux_sentry")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        with redirect_stderr(io.StringIO()) as err:
            output.log_to_stderr("INFO", app)
            output.log_to_stderr("INFO", app)  # a second time replaces the first
            app.redact = HIDE
            logging.getLogger("tmux_sentry.some.plugin").info("token %s \x1b[2J", SECRET)
            logging.getLogger("tmux_sentry.some.plugin").debug("too quiet")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    (line,) = err.getvalue().splitlines()
    assert line.endswith("token [redacted] ")


def test_the_line_of_progress_stays_below_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    logger = logging.getLogger("tmux_sentry")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        with redirect_stderr(io.StringIO()) as err:
            output.log_to_stderr("INFO", App())
            output.progress(f"50% {SECRET}\x1b[2J", redact=HIDE)
            logger.info("a line")
            output.progress("", redact=HIDE)
            logger.info("another")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    bar, line, rest = err.getvalue().split("\r\x1b[K")[1:]
    assert bar == "50% [redacted]"
    assert re.fullmatch(r"[0-9: -]+ a line\n50% \[redacted\]", line)
    assert re.fullmatch(r"[0-9: -]+ another\n", rest)
