"""tmux-sentry plugin: the notification channel `email`."""
