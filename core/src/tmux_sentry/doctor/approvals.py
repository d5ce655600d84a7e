"""Whether people can answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tmux_sentry.doctor.finding import Finding, note, ok, problem

_UNSIGNED = "APPROVAL_SECRET is not set or too short, so there are no pages"


def backends(
    problems: Mapping[str, str], configured: frozenset[str], unsigned: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Each way of asking, with what it says is wrong ("" is nothing). One that nobody has configured is a note.

    `unsigned` are those with pages, where there is no secret to sign links with: `run` does not serve them.
    """
    for name, own in problems.items():
        said = "; ".join(part for part in (_UNSIGNED if name in unsigned else "", own) if part)
        if not said:
            yield ok("approvals", f"{name} can be used")
        elif name in configured:
            yield problem("approvals", f"{name}: {said}", "correct its settings, and start `run` again")
        else:
            yield note("approvals", f"{name}: {said}", "see docs/approvals.md")
    if not problems:
        yield problem("approvals", "nobody can be asked", "install a plugin for approvals: tmux-sentry plugins")
