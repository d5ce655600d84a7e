from __future__ import annotations

from tmux_sentry.doctor import approvals
from tmux_sentry.doctor.finding import Level


def levels(problems: dict[str, str], *configured: str) -> list[Level]:
    return [one.level for one in approvals.backends(problems, frozenset(configured))]


def test_what_is_wrong_is_a_problem_where_somebody_wants_it() -> None:
    assert levels({"file": ""}) == [Level.OK]
    assert levels({"file": "", "web": "APPROVAL_BASE_URL is missing"}) == [Level.OK, Level.NOTE]
    assert levels({"file": "", "web": "port 8790 is taken"}, "web") == [Level.OK, Level.PROBLEM]
    assert levels({}) == [Level.PROBLEM]


def test_pages_without_a_secret_cannot_be_used() -> None:
    found = list(approvals.backends({"file": "", "web": ""}, frozenset(["web"]), frozenset(["web"])))
    assert [one.level for one in found] == [Level.OK, Level.PROBLEM]
    assert "web: APPROVAL_SECRET is not set or too short, so there are no pages" in found[1].what
    both = approvals.backends({"web": "port 8790 is taken"}, frozenset(), frozenset(["web"]))
    assert "no pages; port 8790 is taken" in next(both).what
