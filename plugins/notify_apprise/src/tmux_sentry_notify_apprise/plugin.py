"""Registers the notification channel `apprise`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Setting, hookimpl


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="apprise",
        description="any service that Apprise knows, by URL; each service has its own result",
        settings=(
            Setting(name="APPRISE_URLS", description="Apprise URLs, separated by spaces or commas", secret=True),
        ),
        factory=_make,
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_apprise.notifier import AppriseNotifier

    return AppriseNotifier(context.settings.get("APPRISE_URLS", ""))
