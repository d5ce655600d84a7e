"""What the plugin registers."""

from __future__ import annotations

from tmux_sentry import Osc, PaneClosed, PaneFacts, PaneIdentity, Parser, ParserPlugin, PluginContext, Title
from tmux_sentry_parser_sentry import plugin

PANE = PaneIdentity(host="here", server_pid=100, server_start=1, pane_id="%1", pane_pid=200)


def test_the_plugin_registers_one_parser():
    (record,) = plugin.tmux_sentry_parsers()
    assert isinstance(record, ParserPlugin)
    assert record.name == "sentry"
    assert isinstance(record.factory(PluginContext()), Parser)


def test_titles_and_control_sequences_are_not_read():
    (record,) = plugin.tmux_sentry_parsers()
    parser = record.factory(PluginContext())
    text = '@@SENTRY {"type":"DONE"}'
    osc = Osc(pane=PANE, at=0, number=9, text=text)
    for seen in (Title(pane=PANE, at=0, title=text), osc, PaneClosed(pane=PANE, at=0)):
        assert list(parser.parse(seen, PaneFacts(identity=PANE))) == []
