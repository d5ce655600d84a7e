"""Registers the notification channel `webhook`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Setting, hookimpl

SETTINGS = (
    Setting(name="WEBHOOK_URL", description="where to post; secret, because it may carry a key", secret=True),
    Setting(
        name="WEBHOOK_SECRET",
        description="whsec_ and base64, several with commas: each signs; `none` sends unsigned",
        secret=True,
    ),
)


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="webhook",
        description="messages as JSON to an address of yours, signed as Standard Webhooks say",
        settings=SETTINGS,
        factory=_make,
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_webhook.notifier import make

    return make(context.settings)
