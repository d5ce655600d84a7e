"""The figures, measured as `make security` does, and that they can go red."""

from __future__ import annotations

import importlib
from pathlib import Path

import exits
import pytest
import redaction
from hostile import corpus
from outs import exits as open_exits
from planted import configured, tokens
from security import PARTS

from tmux_sentry.security.redact import Redactor


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PARTS)
def test_every_figure_is_as_promised(part: str) -> None:
    figures = importlib.import_module(part).measure()
    assert figures
    assert [f"{figure.name}: {figure.shown}" for figure in figures if not figure.ok] == []


def test_there_is_enough_to_try(tmp_path: Path) -> None:
    assert len(corpus(tmp_path)) >= 150
    assert len(configured(100)) + len(tokens(100)) >= 200
    assert len(redaction.ordinary_lines()) >= 10_000
    with open_exits(tmp_path, Redactor()) as ways:
        assert len(ways) >= 20


def test_a_leak_is_seen() -> None:
    for one in redaction._texts(configured(20), tokens(40)):
        assert redaction.leaked(one, f"see {one.shown} end"), one
        assert not redaction.leaked(one, "see [redacted] end")


def test_a_raw_byte_and_a_forged_log_entry_are_seen() -> None:
    assert exits.RAW.search("a\x1b[31m")
    assert exits.RAW.search("a\u202eb")
    assert not exits.RAW.search("a\nb 构建 café")
    assert not exits._ENTRY.match("2026-11-28 12:00:00 tmux_sentry.run: run succeeded")
