"""Whether an answer counts, and what all answers together say. Pure; the database makes it atomic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tmux_sentry.approvals.names import NAMELESS, folded, voice
from tmux_sentry.contracts import Decision, Vote
from tmux_sentry.state.records import Rules

Standing = Literal["pending", "approved", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """`counts`: the answer does; `why`: why not. `standing`: what becomes of the request with it."""

    counts: bool
    standing: Standing
    why: str = ""
    yes: tuple[str, ...] = ()  # everybody who has said so, in the order in which they did


def weigh(rules: Rules, votes: Iterable[Vote], answer: Decision) -> Weighed:
    """What one more answer means for a request that is pending.

    A person counts once, and so do all links together that name nobody. A no takes back one's own yes; a yes does not
    take back one's own no.
    """
    counted = [vote for vote in votes if vote.counted]
    said = {voice(vote.by): vote.approved for vote in counted}
    names = {voice(vote.by): vote.by for vote in counted}
    if rules.until is not None and answer.at >= rules.until:
        return Weighed(counts=False, standing="pending", why="its time is over")
    if not rules.may(answer.by, answer.at):
        return Weighed(counts=False, standing="pending", why=f"{answer.by} is not one of the approvers")
    who = voice(answer.by)
    before, name = said.get(who), names.setdefault(who, answer.by)
    if before is not None and (answer.approved or not before):
        one = "; all links that name nobody are one voice" if who == NAMELESS else ""
        what = "so" if before is answer.approved else "no"
        return Weighed(counts=False, standing="pending", why=f"{name} has said {what} already{one}")
    said[who] = answer.approved
    yes = tuple(names[one] for one, approved in said.items() if approved)
    return Weighed(counts=True, standing=_standing(rules, said), yes=yes)


def agreed(votes: Iterable[Vote]) -> int:
    """How many people have said yes and not taken it back."""
    return sum({voice(vote.by): vote.approved for vote in votes if vote.counted}.values())


def _standing(rules: Rules, said: dict[str, bool]) -> Standing:
    yes, no = sum(said.values()), len(said) - sum(said.values())
    if no and (rules.any_reject or no > _may_refuse(rules)):
        return "rejected"
    return "approved" if yes >= rules.required else "pending"


def _may_refuse(rules: Rules) -> int:
    """How many may say no while a yes is still possible; where anybody may answer, as many as must say yes would be
    needed to refuse."""
    people = {folded(name) for name in (*rules.approvers, *rules.second)}
    return len(people) - rules.required if rules.approvers else rules.required - 1
