"""eslint, ruff, tsc, mypy and black."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, error, failed, passed

_CROSS = "(?:✖|×|x)"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?: [AP]M)?"

RULES = (
    failed(
        "eslint.failed",
        0.9,
        rf"{_CROSS} (?P<m>{COUNT} problems? \({COUNT} errors?, [0-9]+ warnings?\))",
        yes=("✖ 3 problems (2 errors, 1 warning)", "✖ 10 problems (10 errors, 0 warnings)"),
        no=(
            "✖ 1 problem (0 errors, 1 warning)",
            "0 problems",
            'expect(out).toBe("✖ 3 problems (2 errors, 1 warning)")',
        ),
    ),
    failed(
        "eslint.warnings",
        0.9,
        r"ESLint found too many warnings \(maximum: [0-9]+\)\.",
        yes=("ESLint found too many warnings (maximum: 0).",),
        no=("ESLint found warnings",),
    ),
    passed(
        "eslint.passed",
        0.7,  # `--max-warnings` makes a failure of it
        rf"{_CROSS} (?P<m>{COUNT} problems? \(0 errors, {COUNT} warnings?\))",
        yes=("✖ 1 problem (0 errors, 1 warning)",),
        no=("✖ 11 problems (10 errors, 1 warning)",),
    ),
    failed(
        "mypy.failed",
        0.9,
        rf"(?P<m>Found {COUNT} errors? in {COUNT} files?) "
        rf"\((?:checked {COUNT} source files?|errors prevented further checking)\)",
        yes=(
            "Found 1 error in 1 file (checked 1 source file)",
            "Found 2 errors in 1 file (errors prevented further checking)",
        ),
        no=("Success: no issues found in 1 source file", "It said: Found 1 error in 1 file (checked 1 source file)"),
    ),
    passed(
        "mypy.passed",
        0.9,
        rf"Success: (?P<m>no issues found in {COUNT} source files?)",
        yes=("Success: no issues found in 12 source files",),
        no=("no issues found in 12 source files", "Success: no issues found in 0 source files"),
    ),
    failed(
        "tsc.failed",
        0.9,
        rf"(?P<m>Found {COUNT} errors?) in {COUNT} files?\.|"
        rf"{_CLOCK} - Found {COUNT} errors?\. Watching for file changes\.|"
        rf"Found {COUNT} errors? in (?:the same file, starting at: .*|[^ ()]+:[0-9]+|{COUNT} files)",
        yes=(
            "Found 2 errors in the same file, starting at: ts/a.ts:1",
            "Found 1 error in a.ts:3",
            "6:18:54 AM - Found 1 error. Watching for file changes.",
            "Found 3 errors in 2 files.",
        ),
        no=("6:18:54 AM - Found 0 errors. Watching for file changes.", "We Found 2 errors in 2 files."),
    ),
    passed(
        "tsc.passed",
        0.85,
        rf"{_CLOCK} - (?P<m>Found 0 errors)\. Watching for file changes\.",
        yes=("6:18:54 AM - Found 0 errors. Watching for file changes.",),
        no=("6:18:54 AM - Found 10 errors. Watching for file changes.", "Found 0 errors."),
    ),
    error(
        "tsc.error",
        0.8,
        r"[^ ()]+\([0-9]+,[0-9]+\): (?P<m>error TS[0-9]+: .*)",
        yes=("ts/a.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.",),
        no=("error TS2322", "ts/a.ts(1,7): warning TS2322: x"),
    ),
    failed(
        "ruff.failed",
        0.85,
        rf"(?P<m>Found {COUNT} errors?(?: \([0-9]+ fixed, {COUNT} remaining\))?)\.",
        yes=("Found 2 errors.", "Found 2 errors (1 fixed, 1 remaining)."),
        no=("Found 2 errors (2 fixed, 0 remaining).", "Found 2 errors, and fixed them", "Found 0 errors."),
    ),
    passed(
        "ruff.passed",
        0.85,
        rf"All checks passed!|Found {COUNT} errors? \([0-9]+ fixed, 0 remaining\)\.",
        yes=("All checks passed!", "Found 2 errors (2 fixed, 0 remaining)."),
        no=("All checks passed! Or not", "Found 2 errors (1 fixed, 1 remaining)."),
    ),
    failed(
        "format.failed",
        0.8,
        rf"(?P<m>{COUNT} files? would be reformatted)"
        r"(?:, [0-9]+ files? (?:would be left unchanged|already formatted))?\.?",
        yes=("1 file would be reformatted", "2 files would be reformatted, 3 files already formatted"),
        no=("1 file reformatted", "that 1 file would be reformatted"),
    ),
    passed(
        "format.passed",
        0.7,
        rf"(?P<m>{COUNT} files? (?:already formatted|left unchanged|reformatted)"
        rf"(?:, {COUNT} files? left unchanged)?)\.?",
        yes=("12 files already formatted", "1 file reformatted, 2 files left unchanged"),
        no=("0 files left unchanged", "2 files would be reformatted"),
    ),
)
