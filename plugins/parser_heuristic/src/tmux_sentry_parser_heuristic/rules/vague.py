"""Lines that many programs print and that say little by themselves."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, error, failed, passed

_TICK, _CROSS = "(?:[✔✓] )?", "(?:[✖✗×] )?"

RULES = (
    failed(
        "vague.problems",
        0.6,
        rf"{_CROSS}(?P<m>{COUNT} (?:problems?|errors?|issues?)(?: found)?)[.!]?",
        yes=("10 problems", "✖ 2 errors found."),
        no=("0 problems", "10 problems of our time", "see 10 problems"),
    ),
    passed(
        "vague.no-problems",
        0.6,
        rf"{_TICK}(?P<m>0 (?:problems|errors|issues)(?: found)?|[Nn]o (?:problems|errors|issues)(?: were)? found)[.!]?",
        yes=("0 problems", "No problems found", "✔ no issues found.", "0 errors"),
        no=("10 problems", "no problems found in my head", "the tool said 0 problems"),
    ),
    error(
        "vague.error",
        0.5,
        r"(?:error|Error|ERROR|FATAL|\[ERROR\]): (?P<m>.+)",
        yes=("error: something is wrong", "ERROR: no such file"),
        no=("error", "no error: x", 'print("error: x")'),
    ),
)
