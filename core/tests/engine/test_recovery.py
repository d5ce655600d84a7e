"""A send that was in hand when the program stopped: journal and marker decide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tmux_sentry.engine.recovery import Fence, Intent, resolve

INTENT = Intent(step="line", status="intent", pane_key="p", epoch=3, previous=41, marker=42, last_step=True)
TEXT = replace(INTENT, step="text", last_step=False)
PANE = Fence(pane_key="p", epoch="3", marker="41")


@pytest.mark.parametrize(
    ("intent", "changes", "newest", "verdict"),
    [
        # nothing was typed
        (None, {}, 42, "resend"),
        (replace(INTENT, status="refused"), {"marker": "42"}, 42, "resend"),
        (INTENT, {"marker": "41"}, 42, "resend"),
        (replace(INTENT, status="unknown"), {"marker": "41"}, 42, "resend"),
        (TEXT, {"marker": "41"}, 42, "resend"),
        # it was
        (INTENT, {"marker": "42"}, 42, "sent"),
        (replace(INTENT, status="unknown"), {"marker": "42"}, 42, "sent"),
        (replace(INTENT, step="enter"), {"marker": "42"}, 42, "sent"),
        (replace(INTENT, step="keys"), {"marker": "42"}, 42, "sent"),
        (INTENT, {"marker": "42"}, 41, "sent"),  # its own marker is not "newer than the journal"
        (replace(INTENT, status="injected"), {"marker": "41"}, 42, "sent"),
        (replace(INTENT, status="done"), {"marker": ""}, 42, "sent"),
        # typed, without the Enter that should follow
        (TEXT, {"marker": "42"}, 42, "held"),
        (replace(TEXT, status="injected"), {"marker": "42"}, 42, "held"),
        # it cannot be known
        (INTENT, {"marker": ""}, 42, "held"),
        (INTENT, {"epoch": ""}, 42, "held"),
        (INTENT, {"marker": "4x"}, 42, "held"),
        (INTENT, {"marker": "-1"}, 42, "held"),
        (INTENT, {"marker": "²"}, 42, "held"),
        (INTENT, {"marker": "٤٢"}, 42, "held"),
        (INTENT, {"marker": "9" * 5000}, 42, "held"),
        (INTENT, {"epoch": "4"}, 42, "held"),
        (INTENT, {"epoch": "2"}, 42, "held"),
        (INTENT, {"marker": "99"}, 42, "held"),  # newer than the journal
        (INTENT, {"marker": "41"}, 40, "held"),  # the same, though it is the one expected
        (INTENT, {"marker": "40"}, 42, "held"),  # older than what the intent saw
        # another pane under that address
        (INTENT, {"pane_key": "q", "marker": "42"}, 42, "void"),
        (replace(INTENT, status="unknown"), {"pane_key": "q"}, 42, "void"),
        (replace(INTENT, status="void"), {"marker": "41"}, 42, "void"),
    ],
)
def test_the_decision(intent, changes, newest, verdict):
    assert resolve(intent, replace(PANE, **changes), newest)[0] == verdict


@pytest.mark.parametrize("status", ["intent", "unknown"])
def test_without_reading_the_pane_nothing_is_decided(status):
    assert resolve(replace(INTENT, status=status), None, 42)[0] == "wait"


@pytest.mark.parametrize(
    ("intent", "verdict"),
    [(None, "resend"), (replace(INTENT, status="injected"), "sent"), (replace(INTENT, status="void"), "void")],
)
def test_what_the_journal_knows_needs_no_pane(intent, verdict):
    assert resolve(intent, None, 42)[0] == verdict


def test_an_old_database_is_named_as_a_possible_cause():
    assert "old database" in resolve(INTENT, replace(PANE, marker="99"), 42)[1]


def test_a_missing_enter_is_said():
    assert "not submitted" in resolve(TEXT, replace(PANE, marker="42"), 42)[1]
