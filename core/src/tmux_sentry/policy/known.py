"""The distributions that are known to provide a plugin; the only place where the core names plugins.

Only these names are ever put after `pip install`.
"""

from __future__ import annotations

from collections.abc import Mapping

KNOWN: Mapping[str, Mapping[str, str]] = {
    "checker": {
        "github_action": "tmux-sentry-check-github",
        "docker_build": "tmux-sentry-check-docker",
        "docker_container": "tmux-sentry-check-docker",
        "docker_image": "tmux-sentry-check-docker",
        "http": "tmux-sentry-check-http",
        "webhook": "tmux-sentry-check-http",
    },
    "parser": {
        "sentry": "tmux-sentry-parser-sentry",
        "agents": "tmux-sentry-parser-agents",
        "heuristic": "tmux-sentry-parser-heuristic",
    },
    "notifier": {
        "stdout": "tmux-sentry-notify-stdout",
        "wechat_work": "tmux-sentry-notify-wechat",
        "serverchan": "tmux-sentry-notify-serverchan",
        "email": "tmux-sentry-notify-smtp",
        "slack": "tmux-sentry-notify-slack",
        "webhook": "tmux-sentry-notify-webhook",
        "apprise": "tmux-sentry-notify-apprise",
    },
}
