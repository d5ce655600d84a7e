from __future__ import annotations

import pytest

from tmux_sentry.doctor import channels
from tmux_sentry.doctor.finding import Level
from tmux_sentry.doctor.known import Undelivered
from tmux_sentry.errors import UsageError


def build(name: str) -> object:
    if name in ("slak", "mail"):
        raise UsageError(
            f"there is no notification channel {name}", "", "did you mean 'slack'?" if name == "slak" else ""
        )
    return object()


def test_a_channel_that_cannot_be_made_is_a_problem_and_the_others_are_looked_at() -> None:
    found = list(channels.configured(["stdout", "slak", "mail", "slack"], build))
    assert [one.level for one in found] == [Level.OK, Level.PROBLEM, Level.PROBLEM, Level.OK]
    assert found[1].fix == "did you mean 'slack'?"
    assert "take mail out of NOTIFICATION_CHANNELS" in found[2].fix


@pytest.mark.parametrize("names", [["stdout"], []])
def test_nobody_who_is_told_is_a_note(names: list[str]) -> None:
    assert [one.level for one in channels.configured(names, build)][-1] is Level.NOTE
    assert all(one.level is Level.OK for one in channels.configured([*names, "slack"], build))


def test_messages_that_wait_are_a_problem_only_while_somebody_should_send_them() -> None:
    waits = [Undelivered(channel="email", due=2, detail="connection refused")]
    (running,) = channels.outbox(waits, running=True)
    (stopped,) = channels.outbox(waits, running=False)
    assert (running.level, stopped.level) == (Level.PROBLEM, Level.NOTE)
    assert running.what == "2 messages for email waiting too long: connection refused"
    (dead,) = channels.outbox([Undelivered(channel="email", dead=1)], running=False)
    assert (dead.level, "email" in dead.fix) == (Level.PROBLEM, True)
