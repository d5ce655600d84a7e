from __future__ import annotations

from pathlib import Path

import pytest

from tmux_sentry.doctor import channels
from tmux_sentry.doctor.finding import Level
from tmux_sentry.doctor.known import Undelivered
from tmux_sentry.errors import UsageError
from tmux_sentry.state.records import ChannelHealth


def build(name: str) -> object:
    if name in ("slak", "mail"):
        raise UsageError(
            f"there is no notification channel {name}", "", "did you mean 'slack'?" if name == "slak" else ""
        )
    return object()


def test_a_channel_that_cannot_be_made_is_a_problem_and_the_others_are_looked_at() -> None:
    found = list(channels.configured(["stdout", "slak", "mail", "slack"], build, ["stdout"]))
    assert [one.level for one in found] == [Level.OK, Level.PROBLEM, Level.PROBLEM, Level.OK]
    assert found[1].fix == "did you mean 'slack'?"
    assert "take mail out of NOTIFICATION_CHANNELS" in found[2].fix


@pytest.mark.parametrize("names", [["stdout"], []])
def test_nobody_who_is_told_is_a_note(names: list[str]) -> None:
    assert [one.level for one in channels.configured(names, build, ["stdout"])][-1] is Level.NOTE
    assert all(one.level is Level.OK for one in channels.configured([*names, "slack"], build, ["stdout"]))


def test_messages_that_wait_are_a_problem_only_while_somebody_should_send_them() -> None:
    waits = [Undelivered(channel="email", due=2, detail="connection refused")]
    (running,) = channels.outbox(waits, running=True)
    (stopped,) = channels.outbox(waits, running=False)
    assert (running.level, stopped.level) == (Level.PROBLEM, Level.NOTE)
    assert running.what == "2 messages for email waiting too long: connection refused"
    (dead,) = channels.outbox([Undelivered(channel="email", dead=1)], running=False)
    assert (dead.level, "email" in dead.fix) == (Level.PROBLEM, True)


def test_a_channel_that_says_what_is_missing_is_a_problem() -> None:
    class Mute:
        def problem(self) -> str:
            return "SLACK_WEBHOOK is not set"

    found = list(channels.configured(["slack"], lambda name: Mute(), ["stdout"]))
    assert (found[0].level, found[0].what) == (Level.PROBLEM, "slack: SLACK_WEBHOOK is not set")


def test_a_mute_channel_is_a_problem_and_one_that_rests_a_note() -> None:
    states = [ChannelHealth(name=state, state=state, why="w") for state in ("off", "failing", "resting")]
    found = list(channels.health(states))
    assert [one.level for one in found] == [Level.PROBLEM, Level.PROBLEM, Level.NOTE]
    assert "tmux-sentry notify test off" in found[0].fix


def test_messages_that_reached_nobody_are_a_problem(tmp_path: Path) -> None:
    assert list(channels.unheard(tmp_path)) == []
    (tmp_path / "UNDELIVERED").write_text("x")
    assert [one.level for one in channels.unheard(tmp_path)] == [Level.PROBLEM]


def test_nobody_says_of_a_mute_channel_that_it_can_be_used() -> None:
    found = list(channels.configured(["slack"], build, [], unwell=["slack"]))
    assert [one for one in found if one.level is Level.OK] == []
