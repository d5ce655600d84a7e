"""Whether an answer counts, and what all answers together say. Pure; the database makes it atomic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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

    A person counts once. A no takes back one's own yes; a yes does not take back one's own no.
    """
    said = {vote.by: vote.approved for vote in votes if vote.counted}
    if rules.until is not None and answer.at >= rules.until:
        return Weighed(counts=False, standing="pending", why="its time is over")
    if not rules.may(answer.by, answer.at):
        return Weighed(counts=False, standing="pending", why=f"{answer.by} is not one of the approvers")
    before = said.get(answer.by)
    if before is answer.approved:
        return Weighed(counts=False, standing="pending", why=f"{answer.by} has said so already")
    if before is False:
        return Weighed(counts=False, standing="pending", why=f"{answer.by} has said no already")
    said[answer.by] = answer.approved
    return Weighed(counts=True, standing=_standing(rules, said), yes=tuple(who for who, yes in said.items() if yes))


def _standing(rules: Rules, said: dict[str, bool]) -> Standing:
    yes, no = sum(said.values()), len(said) - sum(said.values())
    if no and (rules.any_reject or no > _may_refuse(rules)):
        return "rejected"
    return "approved" if yes >= rules.required else "pending"


def _may_refuse(rules: Rules) -> int:
    """How many may say no while a yes is still possible; where anybody may answer, as many as must say yes would be
    needed to refuse."""
    people = {*rules.approvers, *rules.second}
    return len(people) - rules.required if rules.approvers else rules.required - 1
