"""What a page shows of a request: plain values, bounded, with nothing left out unsaid. Escaping is the template's."""

from __future__ import annotations

from dataclasses import dataclass

from tmux_sentry import ApprovalView, Vote, clean, visible
from tmux_sentry_approval_web.times import machine_readable, moment
from tmux_sentry_approval_web.visit import sentence
from tmux_sentry_approval_web.words import Say, left

#: Characters of keys that a page shows, and sends. Nobody reads more on a phone, and what is not shown is not approved.
KEYS, SENDS = 20_000, 200
#: Answers that a page shows: the newest.
VOTES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVote:
    """One answer."""

    by: str
    approved: bool
    counted: bool
    known: str
    comment: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request. `hidden` is how many characters of keys and dialog are not shown: with any it is not approved here."""

    id: str
    pipeline: str
    stage: str
    attempt: int
    host: str
    pane_name: str
    pane_id: str
    about: tuple[str, ...]  # the agent's dialog that the keys answer, a line each
    keys: tuple[str, ...]
    sends: int
    hidden: int
    reason: str
    risk: str  # low, normal or high
    pending: bool
    asked: str
    until: str  # when the policy's time is over; "" for a dialog, which has none
    until_iso: str
    left: str  # "" when its time is over
    stays: bool  # an answer counts after that time too
    approvers: tuple[str, ...]
    required: int
    yes: int
    votes: tuple[ShownVote, ...]
    older_votes: int
    screen: str
    you: str
    closed: str
    stranger: bool
    code_needed: bool
    digest: str


def shown(view: ApprovalView, say: Say) -> Shown:
    """A request as its page shows it."""
    request, stays = view.request, view.until is None
    # A dialog is asked about until it is gone, whatever the policy's time.
    until = None if stays and request.about else request.expires_at if view.until is None else view.until
    (about, unseen), (keys, hidden) = _keys(request.about), _keys(request.keys)
    votes = view.votes[-VOTES:]
    return Shown(
        id=request.id,
        pipeline=clean(request.pipeline, 200),
        stage=clean(request.stage, 200),
        attempt=request.attempt,
        host=clean(request.pane.host, 200),
        pane_name=clean(request.pane_name, 200),
        pane_id=clean(request.pane.pane_id, 20),
        about=about,
        keys=keys,
        sends=len(request.keys),
        hidden=hidden + unseen,
        reason=clean(request.reason, 2000),
        risk=request.risk if request.risk in ("low", "high") else "normal",
        pending=view.status == "pending",
        asked=moment(request.created_at, view.zone),
        until="" if until is None else moment(until, view.zone),
        until_iso="" if until is None else machine_readable(until),
        stays=stays,
        left=left(until - view.now, say) if until is not None and until > view.now else "",
        approvers=tuple(clean(name, 100) for name in request.approvers[:50]),
        required=request.required,
        yes=view.yes,
        votes=tuple(_vote(vote, view.zone) for vote in votes),
        older_votes=len(view.votes) - len(votes),
        screen="\n".join(clean(line) for line in view.screen),
        you=clean(view.you, 100),
        closed=sentence(view.closed) if view.closed and not view.stranger else clean(view.closed, 300),
        stranger=view.stranger,
        code_needed=view.code_needed,
        digest=request.digest,
    )


def approvable(view: ApprovalView) -> bool:
    """Whether its page shows all that would be typed, and all of what it would answer."""
    return _keys(view.request.keys)[1] == _keys(view.request.about)[1] == 0


def _keys(keys: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """As many as fit, and how many characters do not."""
    found: list[str] = []
    room, hidden = KEYS, 0
    for number, one in enumerate(keys):
        text = visible(one, limit=1 << 30)
        part = text[:room] if number < SENDS else ""
        if part or (not text and number < SENDS):
            found.append(part)
            hidden += len(text) - len(part)
        else:
            hidden += max(len(text), 1)  # also an empty send is one that was not shown
        room -= len(part)
    return tuple(found), hidden


def _vote(vote: Vote, zone: str) -> ShownVote:
    return ShownVote(
        by=clean(vote.by, 100),
        approved=vote.approved,
        counted=vote.counted,
        known=clean(vote.known or vote.channel, 100),
        comment=clean(vote.comment, 1000),
        at=moment(vote.at, zone),
    )
