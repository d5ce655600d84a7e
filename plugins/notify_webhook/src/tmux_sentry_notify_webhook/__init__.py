"""tmux-sentry plugin: the notification channel `webhook`."""
