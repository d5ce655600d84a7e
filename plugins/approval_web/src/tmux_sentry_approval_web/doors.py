"""Logging in and out, and the list of what waits."""

from __future__ import annotations

from contextlib import suppress

from tmux_sentry import ApprovalDesk, LinkRefused, clean
from tmux_sentry_approval_web.asking import Asking
from tmux_sentry_approval_web.handles import home
from tmux_sentry_approval_web.seals import Seals
from tmux_sentry_approval_web.shown import shown
from tmux_sentry_approval_web.visit import Reply, Stop, Visit, message, unsealed

#: Requests a page.
PAGE = 50


class Doors:
    """Blocks while the core answers; from any thread. Raises Stop, and whatever the desk raises."""

    def __init__(self, desk: ApprovalDesk, seals: Seals, asking: Asking) -> None:
        self._desk = desk
        self._seals = seals
        self._asking = asking

    def ask(self, visit: Visit) -> Reply:
        """GET /login/TOKEN: a preview of the address must not use it up, so it takes a button."""
        say, action = visit.say, f"/login/{visit.path['token']}"
        try:
            who = clean(self._desk.who(visit.path["token"]), 100)
        except LinkRefused as error:
            raise Stop(self._asking.refused(visit, error)) from None
        form = {"action": action, "seal": self._seals.make(visit.nonce, action), "button": say("Log in")}
        text = say("The link works once. This browser can then answer every request, for up to twelve hours.")
        return message(visit, say("Log in as {who}?", who=who), text, form=form)

    def login(self, visit: Visit) -> Reply:
        """POST /login/TOKEN."""
        self._sealed(visit, f"/login/{visit.path['token']}")
        try:
            session = self._desk.login(visit.path["token"])
        except LinkRefused as error:
            raise Stop(self._asking.refused(visit, error)) from None
        return Reply(to=home(session), status=303, session=session)

    def logout(self, visit: Visit) -> Reply:
        """POST /s/HANDLE/logout."""
        self._sealed(visit, f"/logout {visit.session}")
        with suppress(LinkRefused):  # it is over already
            self._desk.logout(visit.session)
        return Reply(values={"title": visit.say("You are logged out"), "text": ()}, session="")

    def outside(self, visit: Visit) -> Reply:
        """GET /: no session's list is here, as its cookie would then be sent to every port of this host."""
        return self._asking.stranger(visit)

    def waiting(self, visit: Visit) -> Reply:
        """GET /s/HANDLE/: what waits, oldest first."""
        who = self._asking.person(visit)
        word = visit.query.get("page", "1")
        page = int(word) if word.isascii() and word.isdigit() and len(word) < 9 else 1
        page = max(page, 1)
        views, total = self._desk.pending(visit.session, (page - 1) * PAGE, PAGE)
        pages = max(-(-total // PAGE), 1)
        if page > pages:
            page = pages
            views, total = self._desk.pending(visit.session, (page - 1) * PAGE, PAGE)
        values = {
            "who": who,
            "home": visit.home,
            "rows": [shown(view, visit.say) for view in views],
            "total": total,
            "page": page,
            "pages": pages,
            "seal": self._seals.make(visit.nonce, f"/logout {visit.session}"),
        }
        return Reply(template="waiting.html", values=values)

    def _sealed(self, visit: Visit, what: str) -> None:
        if not self._seals.fits(visit.form.get("csrf", ""), visit.cookie, what):
            raise Stop(unsealed(visit))
