"""Whether an answer counts and what all of them say: against a plain model, for any people in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.approvals.tally import agreed, weigh
from tmux_sentry.contracts import Decision, Vote
from tmux_sentry.state.records import Rules

ANN = Decision(request_id="q", approved=True, by="ann", channel="web", at=10.0)
NO = replace(ANN, approved=False)


def vote(by: str, approved: bool = True, counted: bool = True) -> Vote:
    return Vote(by=by, approved=approved, counted=counted, channel="web", known="", comment="", at=1.0)


def by(who: str, approved: bool = True, at: float = 10.0) -> Decision:
    return replace(ANN, by=who, approved=approved, at=at)


def test_one_yes_is_enough_unless_more_are_asked_for() -> None:
    assert weigh(Rules(), [], ANN).standing == "approved"
    first = weigh(Rules(required=2), [], ANN)
    assert (first.counts, first.standing, first.yes) == (True, "pending", ("ann",))
    second = weigh(Rules(required=2), [vote("ann")], by("bob"))
    assert (second.standing, second.yes) == ("approved", ("ann", "bob"))


def test_a_person_counts_once() -> None:
    again = weigh(Rules(required=2), [vote("ann")], ANN)
    assert (again.counts, again.standing) == (False, "pending")
    assert "already" in again.why


@pytest.mark.parametrize(
    ("first", "second", "voices"),
    [
        ("ann", "Ann", 2),  # users of a machine differ in capitals
        ("ann@example.com", "Ann@Example.COM", 1),
        ("stra\u00dfe@example.com", "STRASSE@example.com", 1),
        ("somebody by webhook", "somebody by serverchan", 1),  # one person may read both
        ("somebody by slack", "somebody by slack", 1),
        ("ann", "ann@example.com", 2),
        ("ann", "somebody by slack", 2),
    ],
)
def test_whose_voice_it_is(first: str, second: str, voices: int) -> None:
    weighed = weigh(Rules(required=2), [vote(first)], by(second))
    assert (weighed.counts, weighed.standing) == ((True, "approved") if voices == 2 else (False, "pending"))
    assert weighed.why.startswith("" if voices == 2 else f"{first} has said so already")
    assert ("one voice" in weighed.why) == ("somebody" in first)


def test_a_no_by_another_group_takes_back_the_yes_of_the_one_voice() -> None:
    rules = Rules(required=2, any_reject=False)
    votes = [vote("somebody by webhook"), vote("somebody by slack", False)]
    assert weigh(rules, votes, by("bob")).yes == ("bob",)


def test_what_did_not_count_is_no_voice() -> None:
    assert weigh(Rules(required=2), [vote("bob", counted=False)], ANN).standing == "pending"


def test_a_no_takes_back_ones_own_yes_and_a_yes_takes_back_no_no() -> None:
    rules = Rules(required=3, any_reject=False)
    assert weigh(rules, [vote("ann")], NO).counts
    assert weigh(rules, [vote("ann"), vote("ann", False)], ANN).why == "ann has said no already"
    assert (
        weigh(Rules(required=2, any_reject=False), [vote("ann"), vote("ann", False)], by("bob")).standing == "pending"
    )


def test_one_no_is_enough_where_the_policy_says_so() -> None:
    assert weigh(Rules(required=3), [vote("ann"), vote("bob")], by("eve", False)).standing == "rejected"


@pytest.mark.parametrize(
    ("rules", "noes", "standing"),
    [
        (Rules(approvers=("a", "b", "c"), required=2, any_reject=False), ["a"], "pending"),
        (Rules(approvers=("a", "b", "c"), required=2, any_reject=False), ["a", "b"], "rejected"),
        (Rules(approvers=("a",), second=("b",), second_at=0.0, required=1, any_reject=False), ["a"], "pending"),
        (Rules(approvers=("a",), second=("b",), second_at=0.0, required=1, any_reject=False), ["a", "b"], "rejected"),
        (Rules(required=2, any_reject=False), ["a"], "pending"),
        (Rules(required=2, any_reject=False), ["a", "b"], "rejected"),
    ],
)
def test_else_noes_decide_when_a_yes_has_become_impossible(rules: Rules, noes: list[str], standing: str) -> None:
    *before, last = noes
    assert weigh(rules, [vote(who, False) for who in before], by(last, False)).standing == standing


def test_only_the_approvers_count_and_the_second_group_from_its_time_on() -> None:
    rules = Rules(approvers=("ann",), second=("bob",), second_at=20.0)
    assert weigh(rules, [], by("eve")).why == "eve is not one of the approvers"
    assert not weigh(rules, [], by("eve", False)).counts
    assert not weigh(rules, [], by("bob", at=19.9)).counts
    assert weigh(rules, [], by("bob", at=20.0)).standing == "approved"


@pytest.mark.parametrize(
    ("approver", "who", "may"),
    [
        ("Ann@Example.com", "ann@example.COM", True),
        ("ann@example.com", "ann@example.org", False),
        ("ann", "Ann", False),
        ("ann", "ann@example.com", False),
        ("ann", "somebody by slack", False),
    ],
)
def test_an_address_is_the_same_in_any_capitals_and_a_users_name_is_not(approver: str, who: str, may: bool) -> None:
    assert weigh(Rules(approvers=(approver,)), [], by(who)).counts is may
    rules = Rules(approvers=("eve",), second=(approver,), second_at=0.0)
    assert weigh(rules, [], by(who)).counts is may


def test_an_approver_in_two_spellings_is_one_who_may_refuse() -> None:
    rules = Rules(approvers=("ann@a.b", "bob"), second=("Ann@A.B",), second_at=0.0, required=2, any_reject=False)
    assert weigh(rules, [], by("bob", False)).standing == "rejected"


def test_nothing_counts_at_or_after_the_end() -> None:
    for answer in (ANN, NO):
        assert weigh(Rules(until=10.0), [], answer).why == "its time is over"
        assert weigh(Rules(until=10.1), [], answer).counts


PEOPLE = st.sampled_from("abcde")
ANSWERS = st.lists(st.tuples(PEOPLE, st.booleans(), st.integers(0, 30)), max_size=25)
RULES = st.builds(
    Rules,
    approvers=st.lists(PEOPLE, unique=True, max_size=4).map(tuple),
    required=st.integers(1, 4),
    any_reject=st.booleans(),
    second=st.lists(PEOPLE, unique=True, max_size=2).map(tuple),
    second_at=st.none() | st.integers(0, 30).map(float),
    until=st.none() | st.integers(0, 30).map(float),
)


@given(RULES, ANSWERS)
def test_any_answers_in_any_order(rules: Rules, answers: list[tuple[str, bool, int]]) -> None:
    votes: list[Vote] = []
    for who, approved, at in sorted(answers, key=lambda one: one[2]):
        weighed = weigh(rules, votes, by(who, approved, float(at)))
        votes.append(vote(who, approved, weighed.counts))
        said = {one.by: one.approved for one in votes if one.counted}
        yes = {one for one, approves in said.items() if approves}
        if not weighed.counts:
            assert weighed.standing == "pending"
            assert weighed.why
            continue
        assert rules.may(who, float(at))
        assert rules.until is None or at < rules.until
        if weighed.standing == "approved":
            assert approved
            assert len(yes) >= rules.required
            assert set(weighed.yes) == yes
            assert not rules.any_reject or len(yes) == len(said)
        elif weighed.standing == "rejected":
            assert not approved
        else:
            assert len(yes) < rules.required or not approved
        if weighed.standing != "pending":
            return


def test_those_who_agree_are_people_and_not_spellings_or_links() -> None:
    mail = [vote("Ann@a.b"), vote("bob"), vote("ann@a.b", approved=False), vote("eve", counted=False)]
    assert agreed(mail) == 1, "ann has taken hers back, under the same address"
    assert agreed([vote("somebody by slack"), vote("somebody by webhook")]) == 1
    assert agreed([]) == 0
