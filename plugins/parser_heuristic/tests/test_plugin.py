"""What the plugin registers, and which observations it reads."""

from __future__ import annotations

import pytest

from tmux_sentry import (
    Emitted,
    Explaining,
    PaneClosed,
    PaneFacts,
    PaneIdentity,
    Parser,
    ParserPlugin,
    PluginContext,
    SignalKind,
    Title,
    Trust,
)
from tmux_sentry_parser_heuristic import plugin

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)
SUMMARY = "3 failed, 40 passed in 1.20s"


def test_the_plugin_registers_one_parser_that_explains():
    (record,) = plugin.tmux_sentry_parsers()
    assert isinstance(record, ParserPlugin)
    assert record.name == "heuristic"
    parser = record.factory(PluginContext())
    assert isinstance(parser, Parser)
    assert isinstance(parser, Explaining)


def test_titles_and_events_of_processes_are_not_read(parser):
    emitted = Emitted(pane=PANE, at=0, text=SUMMARY, entry="%1:1:e30")
    for seen in (Title(pane=PANE, at=0, title=SUMMARY), emitted, PaneClosed(pane=PANE, at=0)):
        assert parser.parse(seen, PaneFacts(identity=PANE)) == []
        assert parser.explain(seen, PaneFacts(identity=PANE)) == []


def test_an_agents_pane_is_not_read(stream, screen):
    """An agent retells what its tools said, and quotes what it will do."""
    assert stream(SUMMARY)
    assert screen(SUMMARY)
    assert stream(SUMMARY, agent="claude") == []
    assert screen(SUMMARY, agent="claude") == []


@pytest.mark.parametrize(("text", "code"), [("D;0", 0), ("D;1", 1), ("D;130;aid=7", 130)])
def test_the_shells_exit_status_is_shown_as_an_exit(osc, text, code):
    (signal,) = osc(text)
    assert (signal.kind, signal.code, signal.ok, signal.trust) == (SignalKind.EXIT, code, None, Trust.GUESSED)
    assert signal.evidence == f"exit status {code}"


@pytest.mark.parametrize("text", ["D", "D;", "D;x", "D;-1", "D;1234", "D;²", "D;١", "C", "A", "E;1", "D;" + "1" * 9999])
def test_anything_else_of_a_shell_is_no_exit(osc, text):
    assert osc(text) == []


def test_other_control_sequences_are_no_exit(osc):
    assert osc("D;1", number=9) == []
