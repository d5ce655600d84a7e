"""tmux-sentry plugin: the notification channel `apprise`."""
