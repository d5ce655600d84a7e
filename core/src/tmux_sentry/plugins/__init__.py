"""How plugins are found (discovery) and loaded in isolation (loading); `tmux_sentry.registry` puts it together."""
