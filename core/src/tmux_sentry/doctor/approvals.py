"""Whether people can answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tmux_sentry.doctor.finding import Finding, note, ok, problem


def backends(problems: Mapping[str, str], configured: frozenset[str]) -> Iterator[Finding]:
    """Each way of asking, with what it says is wrong ("" is nothing). One that nobody has configured is a note."""
    for name, said in problems.items():
        if not said:
            yield ok("approvals", f"{name} can be used")
        elif name in configured:
            yield problem("approvals", f"{name}: {said}", "correct its settings, and start `run` again")
        else:
            yield note("approvals", f"{name}: {said}", "see docs/approvals.md")
    if not problems:
        yield problem("approvals", "nobody can be asked", "install a plugin for approvals: tmux-sentry plugins")
