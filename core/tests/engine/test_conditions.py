"""What decides a stage: conditions, alone and together; unknown is never success."""

from __future__ import annotations

import pytest

from tmux_sentry.contracts import AgentState, CheckStatus
from tmux_sentry.engine.conditions import evaluate, matches_line
from tmux_sentry.engine.events import CheckReported, ExitSeen, Reachable, StartCheck, StateSeen, Unreachable
from tmux_sentry.engine.run import Attempt, Phase
from tmux_sentry.policy.build import _condition
from tmux_sentry.policy.model import LogRegex

LINE = {"log_regex": "yes"}  # was met
OTHER = {"log_regex": "no"}  # was not
CODE = {"exit_code": 0}  # is unknown


def stage(**more):
    return {"name": "a", "actions_on_start": [{"send_keys": "go"}], **more}


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        (LINE, True),
        (OTHER, False),
        (CODE, None),
        ({"not": LINE}, False),
        ({"not": OTHER}, True),
        ({"not": CODE}, None),
        ({"not": {"not": CODE}}, None),
        ({"any_of": [LINE, CODE]}, True),
        ({"any_of": [OTHER, CODE]}, None),
        ({"any_of": [OTHER, OTHER]}, False),
        ({"all_of": [LINE, CODE]}, None),
        ({"all_of": [OTHER, CODE]}, False),
        ({"all_of": [LINE, LINE]}, True),
        ({"all_of": [LINE, {"not": {"any_of": [OTHER]}}]}, True),
        ({"agent_state": "idle"}, None),
        ({"idle_for": 5}, None),
        ({"external_status": "success"}, None),
    ],
)
def test_three_values(new_run, condition, value):
    attempt = Attempt(stage="a", number=1, phase=Phase.WATCHING, matched=frozenset({"log_regex yes"}))
    assert evaluate(_condition(condition), new_run({"name": "a"}), attempt, 100.0) is value


@pytest.mark.parametrize(
    ("checks", "success", "failure"),
    [
        ([], None, None),
        (["pending"], None, None),
        (["unknown"], None, None),
        (["success"], True, False),
        (["failure"], False, True),
        (["success", "pending"], None, None),
        (["success", "failure"], False, True),
        (["failure", "pending"], None, True),
        (["success", "success"], True, False),
    ],
)
def test_external_status_of_several_checks(new_run, checks, success, failure):
    answers = {str(n): CheckStatus(c).value for n, c in enumerate(checks)}
    attempt = Attempt(stage="a", number=1, phase=Phase.WATCHING, checks=answers)
    run = new_run({"name": "a"})
    assert evaluate(_condition({"external_status": "success"}), run, attempt, 0.0) is success
    assert evaluate(_condition({"external_status": "failure"}), run, attempt, 0.0) is failure


def test_success_needs_all_conditions(world):
    w = world(stage(success_when=[{"log_regex": "one"}, {"log_regex": "two"}])).type().prints("$ go", "one")
    assert w.statuses == {"a": "running"}
    assert w.prints("two").statuses == {"a": "succeeded"}


def test_any_failure_condition_is_enough_and_comes_first(world):
    w = world(stage(success_when=[{"log_regex": "x"}], failure_when=[{"log_regex": "y"}, {"log_regex": "z"}]))
    assert w.type().prints("$ go", "x z").statuses == {"a": "failed"}


def test_failure_that_is_unknown_is_no_failure(world):
    w = world(stage(success_when=[{"log_regex": "x"}], failure_when=[{"exit_code": 0}, {"not": {"exit_code": 0}}]))
    assert w.type().prints("$ go", "x").statuses == {"a": "succeeded"}


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (3, "failed")])
def test_without_success_when_the_exit_status_decides(world, code, status):
    assert world(stage()).type().give(ExitSeen(code=code)).statuses == {"a": status}


def test_the_exit_status_of_the_last_command_decides(world):
    w = world(stage(actions_on_start=[{"send_keys": "one"}, {"send_keys": "two"}])).type().give(ExitSeen(code=1))
    assert w.type().statuses == {"a": "running"}
    assert w.give(ExitSeen(code=0)).statuses == {"a": "succeeded"}


def test_the_shells_own_report_is_not_taken_for_the_commands(world):
    """fish 4 and other shells report each line themselves: of this one, that the reporting went well."""
    send = {"send_keys": {"text": "make", "report_exit": True}}
    w = world(stage(actions_on_start=[send], success_when=[{"exit_code": 0}])).type()
    assert w.give(ExitSeen(code=2, reported=True)).give(ExitSeen(code=0)).statuses == {"a": "running"}
    assert w.give(ExitSeen(code=0, reported=True)).statuses == {"a": "succeeded"}


def test_an_exit_status_from_before_the_keys_is_not_theirs(world):
    assert world(stage()).give(ExitSeen(code=0)).type().statuses == {"a": "running"}


@pytest.mark.parametrize(("ok", "status"), [(True, "succeeded"), (False, "failed"), (None, "running")])
def test_without_success_when_a_status_decides(world, event, ok, status):
    assert world(stage()).type().says(event(stage="a", ok=ok)).statuses == {"a": status}


def test_status_ok_false_fails_whatever_success_when_says(world, event):
    w = world(stage(success_when=[{"log_regex": "x"}])).type().says(event(ok=False))
    assert w.statuses == {"a": "failed"}


def test_status_ok_true_is_not_enough_where_success_when_is_given(world, event):
    w = world(stage(success_when=[{"log_regex": "x"}])).type().says(event(ok=True))
    assert w.statuses == {"a": "running"}


def test_nothing_known_times_out_and_never_succeeds(world):
    assert world(stage()).type().prints("$ go", "all is well").due(1800).statuses == {"a": "timed_out"}


# -------------------------------------------------------------------------- agent state


def test_the_agent_s_state_counts_only_when_it_has_moved_since_the_keys(world):
    w = world(stage(success_when=[{"agent_state": "idle"}]), run={"agent_state": AgentState.IDLE}).type()
    assert w.statuses == {"a": "running"}, "it was idle before it got anything to do"
    w.give(StateSeen(state=AgentState.WORKING))
    assert w.statuses == {"a": "running"}
    assert w.give(StateSeen(state=AgentState.IDLE)).statuses == {"a": "succeeded"}


def test_nothing_known_for_a_moment_is_no_move(world):
    w = world(stage(success_when=[{"agent_state": "idle"}]), run={"agent_state": AgentState.IDLE}).type()
    w.give(StateSeen(state=AgentState.UNKNOWN)).give(StateSeen(state=AgentState.IDLE))
    assert w.statuses == {"a": "running"}
    w.give(StateSeen(state=AgentState.WORKING)).give(StateSeen(state=AgentState.IDLE))
    assert w.statuses == {"a": "succeeded"}


def test_where_nothing_was_known_at_the_keys_the_first_rest_may_be_the_one_before_them(world):
    w = world(stage(success_when=[{"agent_state": "idle"}])).type().give(StateSeen(state=AgentState.IDLE))
    assert w.statuses == {"a": "running"}
    assert w.give(StateSeen(state=AgentState.ERROR)).give(StateSeen(state=AgentState.IDLE)).statuses == {
        "a": "succeeded"
    }


def test_an_unknown_state_is_no_state(world):
    w = world(stage(success_when=[{"not": {"agent_state": "working"}}])).type()
    w.give(StateSeen(state=AgentState.WORKING)).give(StateSeen(state=AgentState.UNKNOWN))
    assert w.statuses == {"a": "running"}


def test_a_state_that_came_while_the_host_was_away_counts_when_it_is_back(world):
    w = world(stage(success_when=[{"agent_state": "idle"}])).type().give(StateSeen(state=AgentState.WORKING))
    w.give(Unreachable()).give(StateSeen(state=AgentState.IDLE))
    assert w.statuses == {"a": "running"}
    assert w.give(Reachable(away=5)).statuses == {"a": "succeeded"}


# ----------------------------------------------------------------------------- idle_for


def test_idle_for_counts_from_the_keys_and_from_each_output(world):
    w = world(stage(success_when=[{"idle_for": 30}]), run={"last_output_at": -9999.0}).type(at=10)
    assert w.statuses == {"a": "running"}, "the silence before the keys does not count"
    w.prints("$ go", at=20).due(49)
    assert w.statuses == {"a": "running"}
    assert w.due(50).statuses == {"a": "succeeded"}


def test_idle_for_counts_from_the_keys_where_nothing_is_printed(world):
    w = world(stage(success_when=[{"idle_for": 30}])).type(at=10).due(39)
    assert w.statuses == {"a": "running"}
    assert w.due(40).statuses == {"a": "succeeded"}


def test_idle_for_that_does_not_decide_is_not_asked_again_and_again(world):
    w = world(stage(success_when=[{"idle_for": 30}, {"log_regex": "x"}])).type().due(40)
    assert w.due(41).statuses == {"a": "running"}
    assert w.prints("$ go", "x").due(80).statuses == {"a": "succeeded"}


def test_silence_of_a_host_that_is_away_is_no_silence(world):
    check = {"external_check": {"type": "http"}}
    w = world({"name": "a", "actions_on_start": [check], "success_when": [{"idle_for": 30}]})
    w.give(Unreachable(), 1)
    check_id = w.last(StartCheck).action_id
    w.give(CheckReported(action_id=check_id, status=CheckStatus.PENDING), 100)
    assert w.statuses == {"a": "running"}
    w.give(Reachable(away=99), 100).due(129)
    assert w.statuses == {"a": "running"}
    assert w.due(130).statuses == {"a": "succeeded"}


# -------------------------------------------------------------------------------- lines


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        ("(?i)0 problems", "10 Problems", True),
        (r"\b0 problems", "10 problems", False),
        ("^done$", "done", True),
        ("done", "x" * 9000 + "done", False),  # a line is bounded
        ("a", "\udcff a", True),
    ],
)
def test_log_regex_searches_a_line(pattern, line, found):
    assert matches_line(LogRegex(pattern=pattern), line) is found
