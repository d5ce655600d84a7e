"""Registers the notification channel `stdout`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, hookimpl


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="stdout",
        description="one line per message on the standard output; only warnings and worse when that is no terminal",
        factory=_make,
        local=True,
    )


def _make(_context: PluginContext) -> Notifier:
    from tmux_sentry_notify_stdout.notifier import StdoutNotifier

    return StdoutNotifier()
