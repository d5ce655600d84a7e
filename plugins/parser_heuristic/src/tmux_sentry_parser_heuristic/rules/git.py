"""git and gh."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import error, failed, passed

RULES = (
    failed(
        "git.merge",
        0.95,
        r"(?P<m>Automatic merge failed); fix conflicts and then commit the result\.|"
        r"error: could not apply [0-9a-f]+\.\.\. .*",
        yes=(
            "Automatic merge failed; fix conflicts and then commit the result.",
            "error: could not apply d888bf6... second",
        ),
        no=("Auto-merging f", "hint: error: could not apply d888bf6... x"),
    ),
    error(
        "git.conflict",
        0.9,
        r"(?P<m>CONFLICT \([a-z/ -]+\): .+)",
        yes=("CONFLICT (content): Merge conflict in f", "CONFLICT (modify/delete): f deleted in HEAD"),
        no=("CONFLICT", "# CONFLICT (content): Merge conflict in f"),
    ),
    error(
        "git.rejected",
        0.9,
        r" ! \[(?:remote )?rejected\] +(?P<m>[^ ]+ +-> +[^ ]+ \(.+\))",
        yes=(" ! [rejected]        main -> main (fetch first)",),
        no=("! [rejected]", " * [new branch]      main -> main"),
    ),
    failed(
        "git.push",
        0.95,
        r"error: (?P<m>failed to push some refs to) '.+'",
        yes=("error: failed to push some refs to 'https://example.com/shop.git'",),
        no=("failed to push some refs", "error: failed to push some refs"),
    ),
    error(
        "git.fatal",
        0.75,  # scripts ask git for what need not be there
        r"fatal: (?P<m>.+)",
        yes=("fatal: not a git repository (or any of the parent directories): .git",),
        no=("this is fatal: x", "fatal:"),
    ),
    passed(
        "git.up-to-date",
        0.8,
        r"(?P<m>Everything up-to-date|Already up to date)\.?",
        yes=("Everything up-to-date", "Already up to date."),
        no=("Everything up-to-date here",),
    ),
    failed(
        "gh.failed",
        0.9,
        r"(?P<m>pull request create failed: .+|X Run .+ \([0-9]+\) completed with '(?:failure|cancelled|timed_out)')|"
        r"Some checks were not successful",
        yes=("X Run CI (123) completed with 'failure'", "pull request create failed: GraphQL: No commits"),
        no=("✓ Run CI (123) completed with 'success'", "Some checks are still pending"),
    ),
    passed(
        "gh.passed",
        0.9,
        r"✓ (?P<m>Run .+ \([0-9]+\) completed with 'success')|All checks were successful",
        yes=("✓ Run CI (123) completed with 'success'", "All checks were successful"),
        no=("X Run CI (123) completed with 'failure'",),
    ),
    error(
        "gh.error",
        0.75,
        r"(?P<m>HTTP [45][0-9]{2}: .+ \(https://api\.github\.com/.+\)|GraphQL: .+ \([A-Za-z.]+\))|"
        r"gh: .+ \(HTTP [45][0-9]{2}\)",
        yes=("HTTP 404: Not Found (https://api.github.com/repos/a/b)", "gh: Not Found (HTTP 404)"),
        no=("HTTP 200: OK (https://api.github.com/repos/a/b)", "GraphQL: x"),
    ),
)
