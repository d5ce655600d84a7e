"""No provider gets more than it takes, and nothing is left untold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.contracts import Level, Message, Rate
from tmux_sentry.notify.together import allowance, arrange, digest
from tmux_sentry.state.records import Outgoing


def waiting(number: int, answer: str = "", level: Level = Level.INFO) -> Outgoing:
    message = Message(id=f"m{number}", at=number, level=level, event="x", title=f"title {number}", answer=answer)
    return Outgoing(
        id=number,
        channel="a",
        message=message,
        dedupe_key=message.id,
        status="pending",
        tries=0,
        detail="",
        created_at=0.0,
        next_at=0.0,
    )


@pytest.mark.parametrize(
    ("attempts", "now", "expected"),
    [
        ([], 100.0, (3, 0.0)),
        ([95.0], 100.0, (2, 0.0)),
        ([95.0, 96.0, 97.0], 100.0, (0, 5.0)),
        ([80.0, 96.0, 97.0], 100.0, (1, 0.0)),
        ([95.0, 96.0, 97.0, 98.0], 100.0, (0, 6.0)),
        ([200.0, 201.0, 202.0], 100.0, (3, 0.0)),  # the clock was set back: what lies ahead does not hold us up
    ],
)
def test_any_window_holds_at_most_the_rate(attempts: list[float], now: float, expected: tuple[int, float]) -> None:
    assert allowance(Rate(messages=3, seconds=10.0), attempts, now) == expected


@given(st.integers(1, 5), st.integers(1, 30), st.lists(st.floats(0, 20), max_size=60))
def test_a_sender_that_obeys_never_exceeds_the_rate(messages: int, seconds: int, gaps: list[float]) -> None:
    rate, sent, now = Rate(messages=messages, seconds=float(seconds)), [], 0.0
    for gap in gaps:
        now += gap
        free, wait = allowance(rate, sent, now)
        assert (free > 0) is (wait <= 0)
        if free:
            sent.append(now)
        else:
            free, _ = allowance(rate, sent, now + wait + 1e-6)
            assert free > 0
    for begin in sent:
        assert sum(begin <= at < begin + seconds for at in sent) <= messages


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8))
def test_everything_is_sent_or_told_together_within_what_is_free(asks: int, tells: int, free: int) -> None:
    these = [waiting(n) for n in range(tells)] + [waiting(100 + n, "approve") for n in range(asks)]
    chosen = arrange(these, free)
    assert len(chosen.alone) + bool(chosen.together) <= free
    assert len(chosen.together) != 1
    assert not [one for one in chosen.together if one.message.answer]
    out = [*chosen.alone, *chosen.together]
    assert len({one.id for one in out}) == len(out)
    if asks < free:
        assert {one.id for one in out} == {one.id for one in these}  # only questions may have to wait
    else:
        assert [one.id for one in chosen.alone] == [one.id for one in these if one.message.answer][: len(chosen.alone)]


def test_a_digest_names_every_message_and_keeps_its_id_for_the_same_ones() -> None:
    these = [waiting(1), waiting(2, level=Level.ERROR), waiting(3)]
    one = digest(these, 50.0, "en")
    assert (one.title, one.level, one.event) == ("3 messages", Level.ERROR, "digest")
    assert [line.split()[2] for line in one.text.splitlines()] == ["2", "1", "3"]
    assert all(f"#{each.message.short}" in one.text for each in these)
    assert digest(these[::-1], 99.0, "en").id == one.id
    assert digest(these[:2], 50.0, "en").id != one.id
    assert digest(these, 50.0, "zh").title == "3 条消息"
