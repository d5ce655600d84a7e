"""Reads SENTRY event lines out of a pane's stream and out of captured screens."""

from __future__ import annotations

from tmux_sentry_parser_sentry.parser import SentryParser

__all__ = ["SentryParser"]
