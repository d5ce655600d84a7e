"""tmux-sentry plugin: the notification channel `slack`."""
