"""npm, pnpm, yarn and bun."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, failed

RULES = (
    failed(
        "npm.failed",
        0.85,
        r"npm (?:ERR!|error) (?P<m>code (?:E[A-Z0-9_]+|[1-9][0-9]*)|Missing script: .*|"
        r"Test failed\..*|Lifecycle script .* failed.*)",
        yes=('npm error Missing script: "nope"', "npm ERR! code ELIFECYCLE"),
        no=("npm error A complete log of this run can be found in: /home/dev/log", "npm warn code ELIFECYCLE"),
    ),
    failed(
        "pnpm.failed",
        0.85,
        r"[ \x{2009}]*(?P<m>ERR_PNPM_[A-Z0-9_]+|ELIFECYCLE)[ \x{2009}]+.+",
        yes=("\u2009ELIFECYCLE\u2009 Command failed with exit code 3.", " ERR_PNPM_NO_SCRIPT  Missing script: nope"),
        no=("the code ELIFECYCLE  means that", "ERR_PNPM_NO_SCRIPT"),
    ),
    failed(
        "yarn.failed",
        0.85,
        rf"error (?P<m>Command failed with exit code {COUNT}\.|Command \"[^\"]+\" not found\.)",
        yes=("error Command failed with exit code 1.",),
        no=("error Command failed with exit code 0.", "An error Command failed with exit code 1."),
    ),
    failed(
        "yarn.berry",
        0.85,
        r"➤ YN0000: [·└] (?P<m>Failed with errors) in .*",
        yes=("➤ YN0000: · Failed with errors in 1s 2ms",),
        no=("➤ YN0000: · Done with warnings in 1s 2ms",),
    ),
    failed(
        "bun.failed",
        0.85,
        rf'error: (?P<m>script "[^"]+" (?:exited with code {COUNT}|was terminated by signal .*))',
        yes=('error: script "build" exited with code 1',),
        no=('error: script "build" exited with code 0', 'script "build" exited with code 1'),
    ),
)
