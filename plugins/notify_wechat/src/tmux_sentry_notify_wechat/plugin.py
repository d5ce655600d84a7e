"""Registers the notification channel `wechat_work`."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry import Notifier, NotifierPlugin, PluginContext, Rate, Setting, hookimpl

SETTINGS = (
    Setting(
        name="WECHAT_WORK_WEBHOOK",
        description="Address of a WeChat Work group robot, or its key alone.",
        secret=True,
    ),
    Setting(
        name="WECHAT_WORK_MSGTYPE",
        description="How messages are written: markdown (default), markdown_v2 or text.",
    ),
    Setting(
        name="WECHAT_WORK_MENTION",
        description="Whom to call from level APPROVAL on: comma list of user ids, mobile numbers, @all.",
    ),
)


@hookimpl
def tmux_sentry_notifiers() -> Iterator[NotifierPlugin]:
    yield NotifierPlugin(
        name="wechat_work",
        description="messages in a WeChat Work (WeCom) group, by a group robot",
        settings=SETTINGS,
        factory=_make,
        rate=Rate(messages=20, seconds=60),
    )


def _make(context: PluginContext) -> Notifier:
    from tmux_sentry_notify_wechat.notifier import WechatNotifier

    return WechatNotifier(context.settings)
