"""`python -m tmux_sentry`: the command `tmux-sentry`, where its script is not on the PATH."""

from __future__ import annotations

import sys

from tmux_sentry.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
