"""What shells and the system say: unknown commands, killed programs, full disks, missing rights."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import error

_SHELL = r"-?(?:[^ :]*/)?(?:ba|z|da|k|a)?sh"
_PROGRAM = "[A-Za-z_./][A-Za-z0-9_.@/+-]*"
_WHERE = r"(?:(?:line )?[0-9]+: )?"

RULES = (
    error(
        "shell.not-found",
        0.85,
        rf"{_SHELL}: {_WHERE}(?P<m>[^ :]+: (?:command )?not found|command not found: [^ ]+)|"
        r"fish: Unknown command:? [^ ]+|[^ :]+: line [0-9]+: [^ :]+: command not found",
        yes=(
            "bash: line 1: nosuchcmd: command not found",
            "sh: 1: nosuchcmd: not found",
            "zsh: command not found: nosuchcmd",
            "./deploy.sh: line 3: nosuchcmd: command not found",
        ),
        no=("command not found", "the shell said: bash: nosuchcmd: command not found", "sh: 1: found"),
    ),
    error(
        "shell.killed",
        0.7,
        r"(?P<m>Killed)|(?:\[[0-9]+\][+-]? +)?(?:[0-9]+ +)?Killed {2,}.+|[^ :]+: line [0-9]+: +[0-9]+ Killed .*|"
        r"zsh: killed .+",
        yes=('bash: line 1: 24623 Killed                  bash -c "x"', "Killed", "zsh: killed     make"),
        no=("Killed by the cat", "He was Killed", "killed"),
    ),
    error(
        "shell.crashed",
        0.8,
        r"(?P<m>(?:Segmentation fault|Aborted|Bus error|Illegal instruction|Floating point exception)"
        r"(?: \(core dumped\))?)|"
        r"[^ :]+: line [0-9]+: +[0-9]+ (?:Segmentation fault|Aborted|Bus error|Illegal instruction) .*|"
        r"zsh: segmentation fault .+",
        yes=(
            'bash: line 1: 24625 Segmentation fault      bash -c "x"',
            "Segmentation fault (core dumped)",
            "zsh: segmentation fault  ./shop",
        ),
        no=("Segmentation faults are bad", "what is a Segmentation fault"),
    ),
    error(
        "system.disk-full",
        0.8,
        rf"{_PROGRAM}: (?P<m>(?:.*: )?No space left on device)",
        yes=(
            "cp: error writing '/dev/full': No space left on device",
            "bash: line 1: echo: write error: No space left on device",
        ),
        no=("No space left on device is what it says", '"x": No space left on device"', "No space left on device"),
    ),
    error(
        "system.denied",
        0.6,
        rf"{_PROGRAM}: (?P<m>(?:.*: )?Permission denied(?: \([a-z,-]+\)\.)?)",
        yes=("bash: line 1: /etc/passwd: Permission denied", "git@example.com: Permission denied (publickey)."),
        no=("Permission denied", "find: Permission denied, it says", "it is said: no: Permission denied"),
    ),
)
