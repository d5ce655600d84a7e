"""What a backend with pages may see and do: the ApprovalDesk. Everything that a token opens is decided here.

Reading is done on the caller's thread; whatever changes something is done by the loop, which owns the Runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tmux_sentry.approvals.names import NAMELESS
from tmux_sentry.approvals.tally import agreed
from tmux_sentry.approvals.tokens import Kind, Token, Tokens
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import ApprovalView, Decision, LinkRefused, PaneIdentity, VoteAnswer
from tmux_sentry.security.outlet import text_out
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import Link, StoredApproval
from tmux_sentry.state.requests import PENDING
from tmux_sentry.state.store import Store
from tmux_sentry.state.transaction import Transaction

#: Seconds that a session lasts, and that a login link may be used.
SESSION, LOGIN = 12 * 3600.0, 600.0
#: Seconds by which the clock may have gone back since a link was made. More, and its age cannot be told.
SKEW = 60.0
#: A link whose code was guessed wrong so often opens nothing any more.
WRONG_CODES = 5
#: Seconds between two fresh links of one request by one channel.
FRESH = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside of a Window. `on_loop` runs something on the loop's thread and returns what it returned; `decide`
    is the conductor's, `screen` gives the last lines of a pane, and `resend` asks again by one channel."""

    store: Store
    clock: Clock
    on_loop: Callable[[Callable[[], object]], object]
    decide: Callable[[Decision, Callable[[Transaction], bool]], VoteAnswer]
    screen: Callable[[PaneIdentity], Sequence[str]]
    resend: Callable[[StoredApproval, str], None]
    redact: Redactor
    zone: str = ""  # the policy's; "" is the system's


class Window:
    """An ApprovalDesk. Thread-safe."""

    def __init__(self, ports: Ports, tokens: Tokens) -> None:
        self._ports = ports
        self._tokens = tokens

    # ------------------------------------------------------------------------- looking

    def look(self, token: str, request_id: str = "") -> ApprovalView:
        """The request of a link, or in a session the one of this id. Raises LinkRefused."""
        link, _ = self._opened(token, "link", "session")
        return self._view(link, self._request(link, request_id))

    def pending(self, session: str, start: int = 0, count: int = 50) -> tuple[Sequence[ApprovalView], int]:
        """A page of what waits, oldest first, and how much that is in all. Raises LinkRefused."""
        link, _ = self._opened(session, "session")
        waiting = self._ports.store.pending_approvals()
        page = waiting[max(start, 0) : max(start, 0) + max(count, 0)]
        return [self._view(link, one, screen=False) for one in page], len(waiting)

    def who(self, token: str) -> str:
        """The person whose session or login link it is. Raises LinkRefused."""
        return self._opened(token, "login", "session")[0].recipient

    def _view(self, link: Link, stored: StoredApproval, *, screen: bool = True) -> ApprovalView:
        request, now, redact = stored.request, self._ports.clock.now(), self._ports.redact
        lines = self._ports.screen(request.pane) if screen else ()
        closed, votes = self._closed(link, stored, now), tuple(self._ports.store.votes(request.id))
        return ApprovalView(
            request=request,
            status=stored.status,
            votes=votes,
            yes=agreed(votes),
            screen=tuple(text_out(line, redact) for line in lines),
            you=_name(link),
            code_needed=link.kind == "link" and request.risk == "high",
            until=stored.rules.until,
            now=now,
            closed=closed,
            stranger=closed == _stranger(link),
            zone=self._ports.zone,
        )

    def _closed(self, link: Link, stored: StoredApproval, now: float) -> str:
        if stored.status != PENDING:
            by = f" by {clean(stored.decided_by, 100)}" if stored.decided_by else ""
            return f"the request is {stored.status}{by}"
        if link.kind == "link" and link.used_at is not None:
            return "this link has been used"
        if stored.rules.until is not None and now >= stored.rules.until:
            return "its time is over"
        if not stored.rules.may(_name(link), now):
            return _stranger(link)
        return ""

    # ------------------------------------------------------------------------ answering

    def vote(
        self, token: str, *, approved: bool, digest: str, comment: str = "", code: str = "", request_id: str = ""
    ) -> VoteAnswer:
        """An answer to what has this digest. Raises LinkRefused."""
        link, genuine = self._opened(token, "link", "session")
        stored = self._request(link, request_id)
        if link.kind == "link" and link.used_at is not None:
            # Its answer is recorded; more of them by the same link would only fill the table.
            return VoteAnswer(counted=False, status=stored.status, words="this link has been used")
        if link.kind == "link" and stored.request.risk == "high" and not self._tokens.is_code(genuine, code):
            return VoteAnswer(counted=False, status=stored.status, words=self._wrong_code(link))
        decision = Decision(
            request_id=stored.request.id,
            approved=approved,
            by=_name(link),
            channel="web",
            at=self._ports.clock.now(),
            comment=comment,
            known=_known(link),
            digest=digest or "none",
        )

        def use(tx: Transaction) -> bool:
            return link.kind != "link" or tx.use_link(link.hash)

        return self._on_loop(lambda: self._ports.decide(decision, use))

    def _wrong_code(self, link: Link) -> str:
        def count() -> bool:
            with self._ports.store.transaction() as tx:
                dead = tx.wrong_code(link.hash) >= WRONG_CODES
                if dead:
                    tx.revoke_links(hash=link.hash)
                return dead

        if self._on_loop(count):
            return "the code was wrong too often: this link opens nothing any more"
        return "the code is wrong: it stands beside the link in the message"

    def renew(self, token: str) -> str:
        """Send a fresh link for one that is too old, by the channel that it came by. Raises LinkRefused."""
        genuine = self._tokens.read(token)
        link = self._ports.store.link(genuine.hash) if genuine is not None else None
        if link is None or link.kind != "link" or link.revoked_at is not None:
            raise LinkRefused("this link is not known here")
        stored = self._request(link, "")
        if stored.status != PENDING:
            return f"nothing to send: the request is {stored.status}"
        newest = self._ports.store.newest_link(link.approval_id, link.channel)
        wait = 0.0 if newest is None else newest + FRESH - self._ports.clock.now()
        if wait > 0:
            return f"a link was sent a moment ago: look at your messages, or try again in {math.ceil(wait)} s"
        self._on_loop(lambda: self._ports.resend(stored, link.channel))
        return f"a fresh link is on its way by {clean(link.channel, 60)}"

    # ----------------------------------------------------------------- logins, sessions

    def invite(self, person: str) -> str:
        """A login link's token for a person of this machine. On the loop's thread. Raises ValueError without a key."""
        return self._make("login", person, LOGIN)

    def login(self, token: str) -> str:
        """Use a login link up; returns the token of a session. Raises LinkRefused."""
        link, _ = self._opened(token, "login")

        def begin() -> str:
            with self._ports.store.transaction() as tx:
                used = tx.use_link(link.hash)
            if not used:
                raise LinkRefused("this login link has been used")
            return self._make("session", link.recipient, SESSION)

        return self._on_loop(begin)

    def logout(self, session: str) -> None:
        """End a session. Raises LinkRefused."""
        link, _ = self._opened(session, "session")

        def end() -> None:
            with self._ports.store.transaction() as tx:
                tx.revoke_links(hash=link.hash)

        self._on_loop(end)

    def revoke(self) -> int:
        """Let every link, login link and session open nothing any more; returns how many."""

        def end() -> int:
            with self._ports.store.transaction() as tx:
                return tx.revoke_links()

        return self._on_loop(end)

    def _make(self, kind: Kind, person: str, seconds: float) -> str:
        now = self._ports.clock.now()
        text, token = self._tokens.make(kind, now + seconds)
        link = Link(
            hash=token.hash,
            kind=kind,
            approval_id="",
            channel="login",
            recipient=person,
            created_at=now,
            expires_at=token.expires,
        )
        with self._ports.store.transaction() as tx:
            tx.add_link(link)
        return text

    # ------------------------------------------------------------------ what a token opens

    def _opened(self, text: str, *kinds: Kind) -> tuple[Link, Token]:
        token = self._tokens.read(text)
        if token is None or token.kind not in kinds:
            raise LinkRefused("this link is not genuine")
        link, now = self._ports.store.link(token.hash), self._ports.clock.now()
        if link is None or link.kind != token.kind:
            raise LinkRefused("this link is not known here")
        if link.revoked_at is not None:
            raise LinkRefused("this link was revoked")
        if now < link.created_at - SKEW:
            raise LinkRefused("the clock of this machine has gone back, so the age of this link cannot be told")
        if now >= min(link.expires_at, token.expires):
            raise LinkRefused("this link is too old", renewable=link.kind == "link")
        if link.kind == "login" and link.used_at is not None:
            raise LinkRefused("this login link has been used")
        return link, token

    def _request(self, link: Link, request_id: str) -> StoredApproval:
        wanted = link.approval_id if link.kind == "link" else request_id
        if request_id not in ("", wanted):
            raise LinkRefused("this link is for another request")
        stored = self._ports.store.approval(wanted)
        if stored is None:
            raise LinkRefused("the request is not here any more")
        return stored

    def _on_loop(self, what: Callable[[], T]) -> T:
        return self._ports.on_loop(what)  # type: ignore[return-value]


def _name(link: Link) -> str:
    """Under which name an answer is recorded; a group's link names no person."""
    return link.recipient or f"{NAMELESS}{link.channel}"


def _stranger(link: Link) -> str:
    return f"{_name(link)} is not one of the approvers"


def _known(link: Link) -> str:
    if link.kind == "session":
        return "login"
    return f"link sent by {link.channel}" + (f" to {link.recipient}" if link.recipient else "")
