"""tmux-sentry plugin: the notification channel `serverchan`."""
