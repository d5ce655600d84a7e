"""Registers the notification channel `serverchan`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Rate, Setting, hookimpl

SETTINGS = (
    Setting(
        name="SERVERCHAN_API_KEY",
        description="SendKey of ServerChan Turbo (SCT...) or ServerChan 3 (sctp...).",
        secret=True,
    ),
    Setting(
        name="SERVERCHAN_BASE_URL",
        description="Another address than ServerChan's own: a proxy or a test server.",
    ),
)


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="serverchan",
        description="messages in WeChat or the ServerChan app, by ServerChan (Turbo or 3)",
        settings=SETTINGS,
        factory=_make,
        rate=Rate(messages=5, seconds=60),
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_serverchan.notifier import ServerchanNotifier

    return ServerchanNotifier(context.settings)
