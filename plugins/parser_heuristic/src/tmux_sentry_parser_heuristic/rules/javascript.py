"""jest, vitest and mocha. Their summaries have several lines, so success is read where the last of them stands."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, failed, passed

_JEST = r"(?:[0-9]+ [a-z]+, )*[0-9]+ total"
_JEST_THRESHOLD = r"Jest: .* coverage threshold .*"

RULES = (
    failed(
        "jest.suites",
        0.9,
        rf"Test Suites: (?P<m>{COUNT} failed, {_JEST})",
        yes=("Test Suites: 1 failed, 1 passed, 2 total",),
        no=("Test Suites: 1 passed, 1 total", "Test Suites: 0 failed, 1 passed, 1 total", "Test Suites: 1 failed"),
    ),
    failed(
        "jest.failed",
        0.9,
        rf"Tests: {{2,}}(?P<m>{COUNT} failed, {_JEST})",
        yes=("Tests:       1 failed, 2 passed, 3 total",),
        no=("Tests:       0 failed, 2 passed, 2 total", "echo Tests:       1 failed, 3 total", "Tests: 1 failed"),
    ),
    failed(
        "jest.coverage",
        0.9,
        r'Jest: (?P<m>"?.*"? coverage threshold for .* not met: .*)',
        yes=('Jest: "global" coverage threshold for statements (80%) not met: 50%',),
        no=("coverage threshold for statements (80%) not met: 50%",),
    ),
    passed(
        "jest.passed",
        0.9,
        r"Time: {2,}[0-9.]+ m?s.*",
        needs=rf"Tests: {{2,}}(?P<m>(?:[0-9]+ (?:skipped|todo), )*{COUNT} passed, [0-9]+ total)",
        vetoes=(r"Test Suites: [1-9][0-9]* failed.*", _JEST_THRESHOLD),
        yes=(
            "Test Suites: 1 passed, 1 total\nTests:       1 passed, 1 total\nSnapshots:   0 total\n"
            "Time:        0.64 s, estimated 1 s",
        ),
        no=(
            "Time:        0.64 s",
            "Test Suites: 1 failed, 1 passed, 2 total\nTests:       1 passed, 1 total\nSnapshots:   0 total\n"
            "Time:        0.64 s",
            'Jest: "global" coverage threshold for lines (80%) not met: 50%\nTest Suites: 1 passed, 1 total\n'
            "Tests:       1 passed, 1 total\nSnapshots:   0 total\nTime:        1 s",
            "Test Suites: 1 total\nTests:       1 failed, 1 passed, 2 total\nSnapshots:   0 total\nTime:        1 s",
        ),
    ),
    failed(
        "vitest.failed",
        0.9,
        rf" {{2,}}(?:Tests|Errors) {{2}}(?P<m>{COUNT} (?:failed|errors?)(?: \| [0-9]+ [a-z]+)*"
        r"(?: \([0-9]+\))?)",
        yes=("      Tests  1 failed | 1 passed (2)", "     Errors  1 error"),
        no=("      Tests  1 passed (1)", "Tests  1 failed | 1 passed (2)", "      Tests  0 failed | 1 passed (1)"),
    ),
    failed(
        "vitest.files",
        0.9,
        rf" Test Files {{2}}(?P<m>{COUNT} failed(?: \| [0-9]+ [a-z]+)* \([0-9]+\))",
        yes=(" Test Files  1 failed (1)", " Test Files  1 failed | 3 passed (4)"),
        no=(" Test Files  1 passed (1)", "the line  Test Files  1 failed (1)"),
    ),
    passed(
        "vitest.passed",
        0.9,
        r" {2,}Start at {2}[0-9]{2}:[0-9]{2}:[0-9]{2}",
        needs=rf" {{2,}}Tests {{2}}(?P<m>{COUNT} passed(?: \| [0-9]+ (?:skipped|todo))* \([0-9]+\))",
        vetoes=(r" +Test Files {2}[1-9][0-9]* failed.*", r" +Errors {2}[1-9].*"),
        yes=(" Test Files  1 passed (1)\n      Tests  1 passed (1)\n   Start at  06:17:31",),
        no=(
            "   Start at  06:17:31",
            " Test Files  1 failed (1)\n      Tests  1 passed (1)\n   Start at  06:17:31",
            " Test Files  1 passed (1)\n      Tests  1 passed (1)\n     Errors  1 error\n   Start at  06:17:31",
        ),
    ),
    failed(
        "mocha.failed",
        0.85,
        rf" {{2}}(?P<m>{COUNT} failing)",
        needs=r" {2}[0-9]+ (?:passing \([0-9]+(?:ms|s|m|h)\)|pending)",
        within=2,
        yes=("  1 passing (5ms)\n  1 pending\n  1 failing",),
        no=("  1 failing", "  1 passing (5ms)\n  0 failing"),
    ),
    passed(
        "mocha.passed",
        0.85,
        "",  # the blank line below the summary: until it has come, `1 failing` may follow
        needs=rf" {{2}}(?P<m>{COUNT} passing \([0-9]+(?:ms|s|m|h)\)|{COUNT} pending)",
        within=1,
        yes=("    ✔ total\n\n  1 passing (5ms)\n", "  1 passing (5ms)\n  1 pending\n"),
        no=("  1 passing (5ms)\n  1 failing\n", "  1 passing (5ms)", "  0 passing (1ms)\n", "  1 passing\n"),
    ),
)
