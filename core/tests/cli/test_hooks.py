"""What Python prints by itself leaves without secrets and control characters too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SETUP = """
import logging, sys, threading, warnings
from tmux_sentry.cli import output
from tmux_sentry.cli.app import App
from tmux_sentry.cli.hooks import clean_hooks
from tmux_sentry.security.redact import Redactor

text = "hunter2-hunter2 \\x1b[31m\\u202e\\n2026-01-01 forged"
class Fails:
    def __del__(self): raise ValueError(text)
def failing(): raise ValueError(text)

with clean_hooks(App(redact=Redactor(["hunter2-hunter2"])), ours={ours}):
    {inside}
{after}
"""
THREAD = "t = threading.Thread(target=failing, name=text); t.start(); t.join()"
WAYS = {
    "a thread": THREAD,
    "a finaliser": "Fails()",
    "a warning": "warnings.simplefilter('always'); warnings.warn(text)",
    "a library's log": "logging.getLogger('library').warning('see %s', text)",
    "a log line with wrong arguments": (
        "output.log_to_stderr('INFO', App(redact=Redactor(['hunter2-hunter2']))); "
        "logging.getLogger('tmux_sentry').info('%d %s', text)"
    ),
}


def said(inside: str, *, ours: bool = True, after: str = "") -> str:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    code = SETUP.format(inside=inside, ours=ours, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    return done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_it_passes_the_outlet(way: str) -> None:
    err = said(WAYS[way])
    assert err
    assert "hunter2" not in err
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert not any(line.startswith("2026-01-01") for line in err.splitlines())


def test_the_process_itself_too() -> None:
    err = said("pass", after="failing()")
    assert "ValueError: [redacted]" in err
    assert "hunter2" not in err


def test_what_is_not_ours_is_as_it_was_afterwards() -> None:
    assert "hunter2" in said("pass", ours=False, after=THREAD)
