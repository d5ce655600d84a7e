"""The digest covers everything that a person approves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.approvals.digest import approval_digest
from tmux_sentry.engine.events import Keys

BUILD = Keys(text="npm run build")
ASKED = {
    "run_id": "r1",
    "stage": "build",
    "attempt": 1,
    "pane_key": "here/100-5/%3/42",
    "sends": (BUILD, Keys(keys=("C-c",))),
    "policy_digest": "pd",
}


def digest(**changes: object) -> str:
    return approval_digest(**(ASKED | changes))  # type: ignore[arg-type]


def test_the_same_question_has_the_same_digest() -> None:
    assert digest() == digest(sends=[replace(BUILD), Keys(keys=("C-c",))])
    # Written down: requests that are open while tmux-sentry is upgraded must stay answerable.
    assert digest() == "2080d5bf6d464e0ac0dccf693c3ee0547f7f78852b1e92ca913fb722e7c2864b"


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "r2"},
        {"stage": "deploy"},
        {"attempt": 2},
        {"pane_key": "here/100-5/%3/43"},
        {"policy_digest": "pe"},
        {"sends": ()},
        {"sends": ASKED["sends"][::-1]},  # type: ignore[index]
        {"sends": (BUILD,)},
        {"sends": (replace(BUILD, text="npm run build "), Keys(keys=("C-c",)))},
        {"sends": (replace(BUILD, enter=False), Keys(keys=("C-c",)))},
        {"sends": (BUILD, Keys(text="C-c"))},
    ],
)
def test_any_change_is_another_digest(change: dict[str, object]) -> None:
    assert digest(**change) != digest()


def test_text_that_is_not_valid_unicode_has_one_too() -> None:
    assert digest(stage="\ud800") != digest(stage="\ud801")
