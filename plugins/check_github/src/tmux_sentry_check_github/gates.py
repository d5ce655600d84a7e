"""What a run with the status `waiting` waits for."""

from __future__ import annotations

from collections.abc import Sequence

from tmux_sentry import CheckStatus, clean
from tmux_sentry_check_github.wire import Gate


def told(gates: Sequence[Gate] | None) -> tuple[CheckStatus, str]:
    """A timer ends by itself; a review needs people, and so may whatever GitHub does not name. None: not known."""
    if gates is None:
        return CheckStatus.ATTENTION, "waits for a review or a timer; which, GitHub does not tell"
    reviews = [gate for gate in gates if gate.reviewers]
    if reviews:
        return CheckStatus.ATTENTION, "waits for a review: " + "; ".join(map(_review, reviews[:3])) + _more(reviews)
    if gates and all(gate.timer for gate in gates):
        timers = "; ".join(f"{_name(gate)}, {gate.timer} minutes" for gate in gates[:3])
        return CheckStatus.PENDING, f"waits for the timer of {timers}{_more(gates)}"
    names = ", ".join(map(_name, gates[:3]))
    what = f"a protection rule of {names}{_more(gates)}" if gates else "something that GitHub does not name"
    return CheckStatus.ATTENTION, f"waits for {what}"


def _review(gate: Gate) -> str:
    who = ", ".join(clean(name, 40) for name in gate.reviewers[:6])
    return f"{_name(gate)} (by {who})"


def _name(gate: Gate) -> str:
    return clean(gate.environment, 60)


def _more(gates: Sequence[Gate]) -> str:
    return f"; and {len(gates) - 3} more" if len(gates) > 3 else ""
