"""What is made of the whole output of real tools, in one piece and in any pieces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry import SignalKind, Trust

OUTPUTS = Path(__file__).parent / "outputs"
#: file -> the verdicts in it, in order; then how many errors.
SAID: dict[str, tuple[list[tuple[bool, str]], int]] = {
    "by-hand/docker-buildx": (
        [(False, 'failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1')],
        0,
    ),
    "by-hand/go-panic": ([], 1),
    "by-hand/go-test-failed": (
        [(False, "shop/cart 0.003s"), (True, "shop/user"), (False, "FAIL")],
        0,
    ),
    "by-hand/gradle-failed": ([(False, "5 tests completed, 1 failed"), (False, "BUILD FAILED")], 0),
    "by-hand/maven-failed": (
        [(False, "Tests run: 5, Failures: 1, Errors: 0, Skipped: 0"), (False, "BUILD FAILURE")],
        0,
    ),
    "cargo-build-bad": ([(False, 'could not compile `shop` (bin "shop") due to 1 previous error')], 1),
    "cargo-test-failed": (
        [
            (True, "Finished `test` profile [unoptimized + debuginfo] target(s)"),
            (False, "1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.32s"),
            (False, "test failed, to rerun pass `--bin shop`"),
        ],
        1,
    ),
    "cargo-test-ok": (
        [
            (True, "Finished `test` profile [unoptimized + debuginfo] target(s)"),
            (True, "1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"),
        ],
        0,
    ),
    "cmake-bad": ([(False, "Configuring incomplete, errors occurred")], 0),
    "cmake-build-bad": ([(False, "[Makefile:91: all] Error 2")], 3),
    "cmake-ok": ([(True, "Build files have been written to")], 0),
    "docker-legacy": (
        [
            (
                False,
                "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat Dockerfile: no file",
            )
        ],
        0,
    ),
    "eslint-bad": ([(False, "3 problems (2 errors, 1 warning)")], 0),
    "eslint-warn": ([(True, "1 problem (0 errors, 1 warning)")], 0),
    "gcc-bad": ([], 1),
    "git-conflict": ([(False, "Automatic merge failed")], 1),
    "git-fatal": ([], 1),
    "git-merge-nope": ([], 2),
    "git-rejected": ([(False, "failed to push some refs to")], 1),
    "java-crash": ([], 1),
    "javac-bad": ([(False, "1 error")], 1),
    "jest-failed": ([(False, "1 failed, 1 passed, 2 total"), (False, "1 failed, 2 passed, 3 total")], 0),
    "jest-ok": ([(True, "1 passed, 1 total")], 0),
    "make-failed": ([(False, "[Makefile:2: all] Error 1")], 0),
    "make-norule": ([(False, "No rule to make target 'nope'.  Stop.")], 0),
    "mocha-failed": ([(False, "1 failing")], 0),
    "mocha-ok": ([(True, "1 passing (5ms)")], 0),
    "mypy-bad": ([(False, "Found 1 error in 1 file")], 1),
    "mypy-ok": ([(True, "no issues found in 1 source file")], 0),
    "node-crash": ([], 3),
    "node-missing": ([], 3),
    "node-rejection": ([], 2),
    "npm-missing": ([(False, 'Missing script: "nope"')], 0),
    "pytest-cov": (
        [
            (False, "Coverage failure: total of 75 is less than fail-under=90"),
            (False, "Required test coverage of 90% not reached. Total coverage: 75.00%"),
        ],
        0,
    ),
    "pytest-error": ([(False, "Interrupted: 1 error during collection"), (False, "1 error")], 0),
    "pytest-failed": ([(False, "1 failed, 1 passed, 1 skipped")], 0),
    "pytest-interrupted": ([(False, "KeyboardInterrupt")], 0),
    "pytest-none": ([(False, "no tests ran")], 0),
    "pytest-passed-q": ([(True, "2 passed")], 0),
    "pytest-passed": ([(True, "2 passed")], 0),
    "python-chained": ([], 2),
    "python-recursion": ([], 1),
    "python-syntax": ([], 1),
    "python-traceback": ([], 1),
    "ruff-bad": ([(False, "Found 2 errors")], 0),
    "ruff-format": ([(False, "1 file would be reformatted")], 0),
    "ruff-ok": ([(True, "All checks passed!")], 0),
    "shells": ([], 7),
    "tsc-bad": ([], 2),
    "unittest-failed": ([(False, "failures=1, errors=1")], 3),
    "unittest-ok": ([(True, "Ran 1 test in 0.000s")], 0),
    "vite-bad": ([(False, "Build failed"), (False, "error during build:")], 0),
    "vite-ok": ([(True, "built in 231ms")], 0),
    "vitest-failed": ([(False, "1 failed (1)"), (False, "1 failed | 1 passed (2)")], 0),
    "vitest-ok": ([(True, "1 passed (1)")], 0),
    "webpack-bad": ([(False, "compiled with 1 error")], 0),
    "webpack-ok": ([(True, "compiled successfully")], 0),
}


def lines_of(name: str) -> list[str]:
    return (OUTPUTS / f"{name}.txt").read_text(encoding="utf-8").split("\n")


def names() -> list[str]:
    return sorted(str(path.relative_to(OUTPUTS).with_suffix("")) for path in OUTPUTS.rglob("*.txt"))


def test_every_output_has_its_row() -> None:
    assert names() == sorted(SAID)


@pytest.mark.parametrize("name", names())
def test_an_output_is_read_as_what_happened(stream, name: str) -> None:
    signals = stream(*lines_of(name))
    verdicts = [(signal.ok, signal.message) for signal in signals if signal.kind is SignalKind.STATUS]
    errors = [signal for signal in signals if signal.kind is SignalKind.ERROR]
    assert (verdicts, len(errors)) == SAID[name]
    assert {signal.trust for signal in signals} <= {Trust.GUESSED}
    assert all(signal.rule and signal.evidence and signal.message and signal.event_type == "" for signal in signals)


@pytest.mark.parametrize("name", names())
def test_it_says_the_same_in_pieces_and_on_a_screen(stream, screen, name: str) -> None:
    """A batch may end anywhere; all that a parser gets of what came before are four lines."""
    lines = lines_of(name)
    whole = [(signal.rule, signal.ok, signal.message) for signal in stream(*lines)]
    for size in (1, 2, 3, 7):
        pieces = [
            signal
            for start in range(0, len(lines), size)
            for signal in stream(*lines[start : start + size], before=lines[max(0, start - 4) : start])
        ]
        assert [(s.rule, s.ok, s.message) for s in pieces] == whole
        assert len({s.digest for s in pieces}) == len(pieces)
    seen = screen(*lines)
    assert [(s.rule, s.ok, s.message) for s in seen] == whole
    assert not any(signal.live for signal in seen)
