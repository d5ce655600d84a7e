"""The clocks: this machine's against its own past, and those of the hosts against it."""

from __future__ import annotations

from collections.abc import Iterator

from tmux_sentry.doctor.finding import Finding, note, ok, problem
from tmux_sentry.state.times import iso

#: Seconds that two clocks may be apart.
APART = 60.0


def heartbeat(seen_at: float | None, now: float) -> Iterator[Finding]:
    """The last sign of life in the database, which cannot be later than now."""
    if seen_at is None:
        return
    if seen_at > now + APART:
        what = f"the database was last written at {iso(seen_at)}, {seen_at - now:.0f} s in the future of this clock"
        yield problem("clock", what, "set the clock of this machine (timedatectl status), then start `run` again")
    else:
        yield ok("clock", f"this clock is later than the last sign of life ({iso(seen_at)})")


def apart(host: str, offset: float | None) -> Iterator[Finding]:
    """`offset`: how many seconds the host's clock is ahead of ours; None when it did not say."""
    if offset is None:
        return
    if abs(offset) > APART:
        what = f"the clock of {host} is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} this one"
        yield note("clock", what, f"let both machines keep time (timedatectl status on {host} and here)")
