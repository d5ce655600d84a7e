"""The page of a request, for whoever has a link to it or is logged in, and the answer that it sends."""

from __future__ import annotations

from typing import Any

from tmux_sentry import ApprovalDesk, ApprovalView, LinkRefused, VoteAnswer, clean
from tmux_sentry_approval_web.limits import Buckets
from tmux_sentry_approval_web.seals import Seals
from tmux_sentry_approval_web.shown import approvable, shown
from tmux_sentry_approval_web.visit import Reply, Stop, Visit, message, nowhere, sentence, unsealed


class Asking:
    """Blocks while the core answers; from any thread. Raises Stop, and whatever the desk raises."""

    def __init__(self, desk: ApprovalDesk, seals: Seals, buckets: Buckets) -> None:
        self._desk = desk
        self._seals = seals
        self._buckets = buckets

    # ------------------------------------------------------------------- by a link

    def link(self, visit: Visit) -> Reply:
        """GET /a/TOKEN: changes nothing, so that a preview of the link can do no harm."""
        token = visit.path["token"]
        return self._page(visit, self._of_link(visit, token), f"/a/{token}")

    def answer(self, visit: Visit) -> Reply:
        """POST /a/TOKEN."""
        token = visit.path["token"]
        self._sealed(visit, f"/a/{token}")
        return self._answer(visit, self._of_link(visit, token), token, f"/a/{token}")

    def renew(self, visit: Visit) -> Reply:
        """POST /a/TOKEN/renew."""
        token = visit.path["token"]
        self._sealed(visit, f"/a/{token}/renew")
        try:
            words = self._desk.renew(token)
        except LinkRefused as error:
            raise Stop(self.refused(visit, error)) from None
        return message(visit, visit.say("Look at your messages"), sentence(words))

    def _of_link(self, visit: Visit, token: str) -> ApprovalView:
        try:
            return self._desk.look(token)
        except LinkRefused as error:
            raise Stop(self.refused(visit, error, token)) from None

    def refused(self, visit: Visit, error: LinkRefused, token: str = "") -> Reply:
        """A token that opens nothing; with `token`, a fresh one is offered if there can be one."""
        say = visit.say
        if error.renewable and token:
            action = f"/a/{token}/renew"
            seal = self._seals.make(visit.nonce, action)
            form = {"action": action, "seal": seal, "button": say("Send a fresh link")}
            text = say("A fresh one can be sent the way this one came.")
            return message(visit, say("This link is too old"), text, status=410, form=form)
        wait = 0 if error.renewable else self._buckets.refuse(visit.peer.client)
        if wait:
            text = say("Wait {seconds} seconds. Links that are good work meanwhile.", seconds=wait)
            values = {"title": say("Too many links that open nothing"), "text": (text,)}
            return Reply(values=values, status=429, wait=wait)
        return message(
            visit,
            say("This link opens nothing"),
            sentence(str(error)),
            say("What waits is seen at the terminal:"),
            status=403,
            command="tmux-sentry approvals",
        )

    # ------------------------------------------------------------------ in a session

    def request(self, visit: Visit) -> Reply:
        """GET /s/HANDLE/r/ID."""
        return self._page(visit, self._of_session(visit), self._action(visit))

    def decide(self, visit: Visit) -> Reply:
        """POST /s/HANDLE/r/ID."""
        self._sealed(visit, self._action(visit))
        view = self._of_session(visit)
        return self._answer(visit, view, visit.session, self._action(visit), view.request.id)

    def _of_session(self, visit: Visit) -> ApprovalView:
        self.person(visit)
        try:
            return self._desk.look(visit.session, visit.path["id"])
        except LinkRefused as error:
            raise Stop(nowhere(visit, sentence(str(error)))) from None

    def person(self, visit: Visit) -> str:
        """Who is logged in. Raises Stop."""
        if visit.session:
            try:
                return clean(self._desk.who(visit.session), 100)
            except LinkRefused as error:
                if (reply := self.refused(visit, error)).status == 429:
                    raise Stop(reply) from None
        raise Stop(self.stranger(visit))

    @staticmethod
    def stranger(visit: Visit) -> Reply:
        """Nobody is logged in here: no session, one that is over, or the pages of another one."""
        say = visit.say
        text = (
            say("A browser that is logged in has its list at the address to which the login led."),
            say("To log in, type this on the machine that tmux-sentry runs on, and open the address that it prints:"),
        )
        values = {"title": say("You are not logged in"), "text": text, "command": "tmux-sentry approvals login"}
        return Reply(values=values, status=403)

    @staticmethod
    def _action(visit: Visit) -> str:
        return f"{visit.home}r/{visit.path['id']}"

    # ----------------------------------------------------------------------- both

    def _page(self, visit: Visit, view: ApprovalView, action: str, status: int = 200, **values: Any) -> Reply:
        seal = self._seals.make(visit.nonce, self._what(visit, action))
        shows = {"r": shown(view, visit.say), "action": action, "seal": seal, "comment": "", "notice": None}
        shows |= {"list": visit.home if visit.session else "", **values}
        return Reply(template="request.html", values=shows, status=status)

    def _answer(self, visit: Visit, view: ApprovalView, token: str, action: str, request_id: str = "") -> Reply:
        say, form = visit.say, visit.form
        word, comment = form.get("decision", ""), form.get("comment", "")
        if word not in ("approve", "reject"):
            # Enter in a field presses the form's first button, which says neither.
            notice = ("bad", say("Nothing was decided"), say("Press Approve or Reject."))
            return self._page(visit, view, action, 400, notice=notice, comment=comment[:1000])
        approved = word == "approve"
        if approved and not approvable(view):
            why = say("It is too long for a page, so it can only be approved at the terminal:")
            return self._page(visit, view, action, 409, notice=("bad", say("Your answer did not count"), why))
        said = self._desk.vote(
            token,
            approved=approved,
            digest=form.get("digest", ""),
            comment=comment,
            code=form.get("code", ""),
            request_id=request_id,
        )
        try:
            now = self._desk.look(token, request_id)
        except LinkRefused:  # after the last wrong code, say
            title = say("Your answer was noted" if said.counted else "Your answer did not count")
            return message(visit, title, sentence(said.words), status=200 if said.counted else 403)
        status, notice = self._outcome(visit, said, now, approved)
        kept = "" if now.closed or status == 200 else comment[:1000]
        # No redirect to a page that says so: where the chat's own browser began the visit, a SameSite=Strict cookie
        # would not come along with it. To load this page again posts again, which is one answer all the same.
        return self._page(visit, now, action, status, notice=notice, comment=kept, answered=status == 200)

    @staticmethod
    def _outcome(visit: Visit, said: VoteAnswer, now: ApprovalView, approved: bool) -> tuple[int, tuple[str, str, str]]:
        say, words = visit.say, sentence(said.words)
        if said.counted:
            title = {"approved": "Approved", "rejected": "Rejected"}.get(said.status, "Your answer was noted")
            if said.status in ("approved", "rejected"):
                words = say("It is recorded under the name {you}.", you=clean(now.you, 100))
            return 200, ("good", say(title), words)
        mine = [vote.approved for vote in now.votes if vote.counted and vote.by == now.you]
        # While a code is asked for, and the link is good, only the code can have been wrong, or the digest.
        same = mine[-1:] == [approved] and visit.form.get("digest") == now.request.digest
        if same and (now.closed or not now.code_needed):
            text = say("It is recorded under the name {you}.", you=clean(now.you, 100))
            return 200, ("good", say("This answer is recorded already"), text)
        return 409, ("bad", say("Your answer did not count"), words)

    def _sealed(self, visit: Visit, action: str) -> None:
        if not self._seals.fits(visit.form.get("csrf", ""), visit.cookie, self._what(visit, action)):
            raise Stop(unsealed(visit))

    @staticmethod
    def _what(visit: Visit, action: str) -> str:
        """What a form's seal is for: a link's address, which has its token; else also the session."""
        return action if action.startswith("/a/") else f"{action} {visit.session}"
