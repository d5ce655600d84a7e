"""JUnit, Maven, Gradle and javac."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, failed, passed

_FAILURES = rf"(?:Failures: {COUNT}, Errors: [0-9]+|Failures: 0, Errors: {COUNT})"

RULES = (
    failed(
        "maven.failed",
        0.95,
        r"\[(?:INFO|ERROR)\] (?P<m>BUILD FAILURE)",
        yes=("[INFO] BUILD FAILURE",),
        no=("BUILD FAILURE", "[INFO] BUILD FAILURE is what it says"),
    ),
    passed(
        "maven.passed",
        0.95,
        r"\[INFO\] (?P<m>BUILD SUCCESS)",
        yes=("[INFO] BUILD SUCCESS",),
        no=("BUILD SUCCESS", "[INFO] no BUILD SUCCESS"),
    ),
    failed(
        "maven.tests-failed",
        0.9,
        rf"\[ERROR\] +(?P<m>Tests run: [0-9]+, {_FAILURES}, Skipped: [0-9]+)",
        yes=("[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0",),
        no=("[INFO] Tests run: 5, Failures: 0, Errors: 0, Skipped: 0", "[ERROR] Tests run: 5, Failures: 1, Errors: 0"),
    ),
    passed(
        "maven.tests-passed",
        0.6,  # of one module; others may follow
        rf"\[(?:INFO|WARNING)\] +(?P<m>Tests run: {COUNT}, Failures: 0, Errors: 0, Skipped: [0-9]+)",
        yes=("[INFO] Tests run: 5, Failures: 0, Errors: 0, Skipped: 0",),
        no=("[INFO] Tests run: 5, Failures: 10, Errors: 0, Skipped: 0",),
    ),
    failed(
        "gradle.failed",
        0.95,
        r"(?P<m>BUILD FAILED) in [0-9]+(?:ms|s|m|h)(?: [0-9]+(?:s|m))*",
        yes=("BUILD FAILED in 2s", "BUILD FAILED in 1m 12s"),
        no=("BUILD FAILED", "[x] BUILD FAILED in 2s"),
    ),
    passed(
        "gradle.passed",
        0.95,
        r"(?P<m>BUILD SUCCESSFUL) in [0-9]+(?:ms|s|m|h)(?: [0-9]+(?:s|m))*",
        yes=("BUILD SUCCESSFUL in 3s",),
        no=("BUILD SUCCESSFUL", "was BUILD SUCCESSFUL in 3s"),
    ),
    failed(
        "gradle.tests-failed",
        0.9,
        rf"(?P<m>[0-9]+ tests? completed, {COUNT} failed(?:, [0-9]+ skipped)?)",
        yes=("5 tests completed, 1 failed",),
        no=("5 tests completed, 0 failed", "so 5 tests completed, 1 failed"),
    ),
    failed(
        "junit.failed",
        0.85,
        rf"\[ +(?P<m>{COUNT} tests failed) +\]|Tests run: [0-9]+, {{2}}Failures: {COUNT}",
        yes=("[         1 tests failed          ]", "Tests run: 3,  Failures: 1"),
        no=("[         0 tests failed          ]", "Tests run: 3,  Failures: 0"),
    ),
    passed(
        "junit.passed",
        0.8,
        rf"\[ +0 tests failed +\]|OK \({COUNT} tests?\)",
        yes=("[         0 tests failed          ]", "OK (3 tests)"),
        no=("[        10 tests failed          ]", "OK (0 tests)"),
    ),
    failed(
        "javac.failed",
        0.7,
        rf"(?P<m>{COUNT} errors?)",
        yes=("1 error", "12 errors"),
        no=("0 errors", "1 error in the text", "  1 error"),
    ),
)
