"""go test, cargo test, rspec and ctest."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, failed, passed

_RUST = r"[0-9]+ passed; {} failed; [0-9]+ ignored; .*"

RULES = (
    failed(
        "go-test.failed",
        0.9,
        r"FAIL[\t ]+(?P<m>[^\t ]+(?:[\t ]+[0-9.]+s| \[(?:build|setup) failed\]))",
        yes=("FAIL\texample.com/shop/cart\t0.003s", "FAIL\texample.com/shop [build failed]"),
        no=("FAIL", "ok  \texample.com/shop\t0.003s", "FAIL example of what 0.003s"),
    ),
    failed(
        "go-test.end",
        0.9,
        r"(?P<m>FAIL)",
        needs=r"(?:ok {2}|FAIL|\? {3})\t.+",
        within=1,
        yes=("FAIL\texample.com/shop/cart\t0.003s\nok  \texample.com/shop/user\t0.004s\nFAIL",),
        no=("FAIL", "--- FAIL: TestTax (0.00s)\nFAIL"),
    ),
    passed(
        "go-test.passed",
        0.6,  # of one package; others may follow
        r"ok[\t ]+(?P<m>[^\t ]+)[\t ]+(?:[0-9.]+s|\(cached\))(?:[\t ]+coverage: .*)?",
        yes=("ok  \texample.com/shop\t0.003s", "ok  \texample.com/shop\t(cached)"),
        no=("ok", "ok  \texample.com/shop", "not ok  \texample.com/shop\t0.003s"),
    ),
    failed(
        "cargo-test.failed",
        0.95,
        rf"test result: FAILED\. (?P<m>{_RUST.format('[0-9]+')})",
        yes=("test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.32s",),
        no=("test result: FAILED.", "// test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured"),
    ),
    passed(
        "cargo-test.passed",
        0.7,  # of one binary; others may follow
        rf"test result: ok\. (?P<m>{_RUST.format('0')})",
        yes=("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",),
        no=("test result: ok. 1 passed; 10 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",),
    ),
    failed(
        "rspec.failed",
        0.9,
        rf"(?P<m>[0-9]+ examples?, (?:{COUNT} failures?.*|0 failures, .*{COUNT} errors? occurred outside of examples))",
        yes=("5 examples, 1 failure", "0 examples, 0 failures, 1 error occurred outside of examples"),
        no=("5 examples, 0 failures", "see 5 examples, 1 failure"),
    ),
    passed(
        "rspec.passed",
        0.9,
        rf"(?P<m>{COUNT} examples?, 0 failures(?:, [0-9]+ pending)?)",
        yes=("5 examples, 0 failures, 1 pending",),
        no=("5 examples, 10 failures", "0 examples, 0 failures"),
    ),
    failed(
        "ctest.failed",
        0.9,
        rf"(?P<m>[0-9]+% tests passed, {COUNT} tests failed out of [0-9]+)",
        yes=("80% tests passed, 1 tests failed out of 5",),
        no=("100% tests passed, 0 tests failed out of 5",),
    ),
    passed(
        "ctest.passed",
        0.9,
        rf"(?P<m>100% tests passed, 0 tests failed out of {COUNT})",
        yes=("100% tests passed, 0 tests failed out of 5",),
        no=("90% tests passed, 10 tests failed out of 100", "100% tests passed"),
    ),
)
