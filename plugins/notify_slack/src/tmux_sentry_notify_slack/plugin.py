"""Registers the notification channel `slack`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Rate, Setting, hookimpl

SETTINGS = (
    Setting(name="SLACK_WEBHOOK", description="the address of an incoming webhook", secret=True),
    Setting(name="SLACK_BOT_TOKEN", description="a bot's token (xoxb-...): posts with threads and edits", secret=True),
    Setting(name="SLACK_CHANNEL", description="with a token: where to post, an ID (C0123ABCDEF) or a #name"),
    Setting(name="SLACK_API_URL", description="with a token: another address than https://slack.com/api"),
)


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="slack",
        description="messages in a Slack channel: by an incoming webhook, or as a bot with threads and edits",
        settings=SETTINGS,
        # "1 per second", "short bursts >1 allowed": https://docs.slack.dev/apis/web-api/rate-limits (2026-11)
        rate=Rate(messages=1, seconds=1.0),
        factory=_make,
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_slack.notifier import make

    return make(context.settings)
