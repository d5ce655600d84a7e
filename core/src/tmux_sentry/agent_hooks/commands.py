"""The shell command that a hook runs: the program, or the same in plain sh where the program is not installed.

Whatever happens it prints nothing and ends well: agents read what a hook prints, and its status can stop a turn.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

#: A shell comment at the end of every command of ours, by which it is known again.
MARK = "# tmux-sentry hooks"

# Not `-m`, which would import from the agent's working directory, and that belongs to whoever wrote the repository.
_AS_MODULE = "import sys; sys.path[:] = filter(None, sys.path); from tmux_sentry.cli.main import main; sys.exit(main())"
# aider lets its command inherit the terminal: whoever read there would take the person's keys.
_QUIETLY = {False: f">/dev/null 2>&1 || : {MARK}", True: f"</dev/null >/dev/null 2>&1 || : {MARK}"}


def program_command(agent: str) -> str:
    """The command that has this installation read the payload on its stdin."""
    # The option, because LOG_LEVEL may stand in a project's environment with a word of its own.
    words = [*_program(), "--log-level", "ERROR", "hooks", "report", agent]
    return f"{shlex.join(words)} {_QUIETLY[agent == 'aider']}"


def shell_command(agent: str, hook: str, state: str) -> str:
    """The command that needs sh, base64, tr and tmux only, and hands over what stands here; it reads no payload."""
    event: dict[str, object] = {"type": "STATE", "state": state, "id": "%s"}
    if not state:
        event = {"type": "PROGRESS", "message": "aider has answered, or asks something", "id": "%s"}
    text = json.dumps({**event, "data": {"agent": agent, "hook": hook}}, separators=(",", ":"))
    script = (
        '[ -n "$TMUX_PANE" ] && c=$(tmux show-options -sqv @sentry_wait) && [ -n "$c" ] && s=$(date +%s)$$ && '
        f"b=$(printf {shlex.quote(text)} \"$s\" | base64 | tr -d '\\n=' | tr '+/' '-_') && "
        'tmux set-option -as @sentry_q " $TMUX_PANE:$s:$b" \\; wait-for -S "$c"'
    )
    # Some agents run hooks with the user's own shell, which may be one without these words.
    return f"sh -c {shlex.quote(script)} {_QUIETLY[True]}"


def _program() -> list[str]:
    called = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("tmux-sentry")
    if called.name == "tmux-sentry" and called.is_absolute() and os.access(called, os.X_OK):
        return [str(called)]
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("tmux-sentry")
    return [os.path.abspath(found)] if found else [sys.executable, "-c", _AS_MODULE]
