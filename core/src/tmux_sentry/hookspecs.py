"""What a plugin can be. Hooks only REGISTER: they yield records, and the core runs the records.

A plugin is a module named by an entry point of the group `tmux_sentry`; the entry's name is
`<kind>_<name>`. It implements any of these hooks:

    from tmux_sentry import ParserPlugin, hookimpl

    @hookimpl
    def tmux_sentry_parsers():
        yield ParserPlugin(name="mine", factory=MyParser)

Hooks are called once, while plugins load, in no promised order. Records are sorted by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from tmux_sentry.contracts import ApprovalPlugin, CheckerPlugin, NotifierPlugin, ParserPlugin

PROJECT = "tmux_sentry"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tmux_sentry_parsers() -> Iterable[ParserPlugin]:  # type: ignore[empty-body]
    """WHEN: at load. Yield parsers: `yield ParserPlugin(name="sentry", factory=SentryParser)`."""


@hookspec
def tmux_sentry_notifiers() -> Iterable[NotifierPlugin]:  # type: ignore[empty-body]
    """WHEN: at load. Yield channels: `yield NotifierPlugin(name="stdout", factory=StdoutNotifier)`."""


@hookspec
def tmux_sentry_checkers() -> Iterable[CheckerPlugin]:  # type: ignore[empty-body]
    """WHEN: at load. Yield check types: `yield CheckerPlugin(name="http", config_schema=SCHEMA, factory=Http)`."""


@hookspec
def tmux_sentry_approval_backends() -> Iterable[ApprovalPlugin]:  # type: ignore[empty-body]
    """WHEN: at load. Yield ways to ask people: `yield ApprovalPlugin(name="file", factory=FileApprovals)`."""


@hookspec
def tmux_sentry_commands(cli: click.Group) -> None:
    """WHEN: the command line is built. Add commands: `cli.add_command(my_command)`."""


@hookspec
def tmux_sentry_event(event: Any) -> None:
    """WHEN: after a step of a Run was committed. Observe it; `event` is a frozen record. Must not block."""
