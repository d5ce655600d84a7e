"""tmux-sentry plugin: the notification channel `wechat_work`."""
