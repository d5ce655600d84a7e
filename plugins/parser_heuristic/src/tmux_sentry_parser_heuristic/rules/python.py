"""pytest and unittest."""

from __future__ import annotations

from tmux_sentry_parser_heuristic.rule import COUNT, failed, passed

_ANY = r"[0-9]+ (?:subtests )?[a-z]+"
_FINE = r"(?:[0-9]+ (?:subtests )?(?:passed|skipped|xfailed|xpassed|deselected|rerun|warnings?)|0 (?:failed|errors))"
_SHAPE = r"(?:=+ )?(?P<m>{}) in [0-9]+\.[0-9]+s(?: \([0-9a-z:, ]+\))?(?: =+)?"
_RAN = r"Ran [0-9]+ tests? in [0-9.]+s"

RULES = (
    failed(
        "pytest.failed",
        0.9,
        _SHAPE.format(rf"(?:{_ANY}, )*{COUNT} (?:failed|errors?)(?:, {_ANY})*"),
        yes=(
            "==================== 1 failed, 1 passed, 1 skipped in 2.39s ====================",
            "3 failed, 40 passed in 75.20s (0:01:15)",
            "=============================== 1 error in 2.46s ===============================",
        ),
        no=(
            "the test printed: 3 failed, 40 passed in 1.20s",
            "3 failed",
            '    assert out == "1 failed in 0.1s"',
            "0 failed, 2 passed in 0.10s",
        ),
    ),
    failed(
        "pytest.coverage",
        0.9,
        r"(?:FAIL|ERROR:?|Coverage failure:) (?P<m>(?:Required test coverage of [0-9.]+% not reached|"
        r"Coverage failure: total of [0-9.]+ is less than fail-under=[0-9.]+).*)",
        yes=("FAIL Required test coverage of 90% not reached. Total coverage: 50.00%",),
        no=("Required test coverage of 90% reached. Total coverage: 100.00%",),
    ),
    failed(
        "pytest.interrupted",
        0.85,
        r"!{3,} (?P<m>(?:KeyboardInterrupt|Interrupted: .*|_pytest\.outcomes\.Exit: .*)) !{3,}",
        yes=("!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!",),
        no=("KeyboardInterrupt", "!!! stopping after 1 failures !!!"),
    ),
    failed(
        "pytest.none",
        0.8,
        _SHAPE.format("no tests ran"),
        yes=("============================ no tests ran in 1.78s =============================",),
        no=("no tests ran", "2 passed in 1.82s"),
    ),
    passed(
        "pytest.passed",
        0.9,
        _SHAPE.format(rf"(?:{_FINE}, )*{COUNT} (?:subtests )?(?:passed|skipped|xfailed|xpassed)(?:, {_FINE})*"),
        yes=(
            "============================== 2 passed in 2.40s ===============================",
            "2 passed in 1.82s",
            "10 passed, 2 skipped, 1 warning in 3661.00s (1:01:01)",
            "0 failed, 2 passed in 0.10s",
        ),
        no=(
            "10 failed, 2 passed in 0.10s",
            "> 2 passed in 1.82s",
            "5 deselected in 0.01s",
            "!!!!!!!!!!!!!!! KeyboardInterrupt !!!!!!!!!!!!!!!\n/home/dev/code/shop/test_int.py:2: KeyboardInterrupt\n"
            "(to show a full traceback on KeyboardInterrupt use --full-trace)\n==== 1 passed in 2.68s ====",
            "FAIL Required test coverage of 90% not reached. Total coverage: 50.00%\n2 passed in 1.82s",
        ),
        # With these pytest ends with a failure although every test that ran has passed.
        vetoes=(
            r"!{3,} .* !{3,}",
            r".*(?:Required test coverage of [0-9.]+% not reached|Coverage failure:).*",
        ),
    ),
    failed(
        "unittest.failed",
        0.9,
        r"FAILED \((?P<m>(?:[a-z ]+=[0-9]+(?:, )?)+)\)",
        needs=_RAN,
        within=2,
        yes=("Ran 3 tests in 0.001s\n\nFAILED (failures=1, errors=1)",),
        no=("FAILED (failures=1, errors=1)", "FAILED test_cart.py::test_tax"),
    ),
    failed(
        "unittest.none",
        0.8,
        r"NO TESTS RAN.*",
        needs=_RAN,
        within=2,
        yes=("Ran 0 tests in 0.000s\n\nNO TESTS RAN",),
        no=("NO TESTS RAN",),
    ),
    passed(
        "unittest.passed",
        0.9,
        r"OK(?: \((?:[a-z ]+=[0-9]+(?:, )?)+\))?",
        needs=rf"(?P<m>Ran {COUNT} tests? in [0-9.]+s)",
        within=2,
        yes=("Ran 1 test in 0.000s\n\nOK", "Ran 2 tests in 0.000s\n\nOK (skipped=1)"),
        no=("OK", "Ran 0 tests in 0.000s\n\nOK", "Ran 2 tests in 0.000s\n\nOK then"),
    ),
)
