"""tmux-sentry plugin: the notification channel `stdout`."""
