"""The routes, and what stands between HTTP and the pages: who asks, forms, cookies, and no error without a page."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmux_sentry import ApprovalDesk, clean
from tmux_sentry_approval_web import seals, words
from tmux_sentry_approval_web.asking import Asking
from tmux_sentry_approval_web.doors import Doors
from tmux_sentry_approval_web.forms import BadForm, read_form
from tmux_sentry_approval_web.handles import home
from tmux_sentry_approval_web.headers import every_answer
from tmux_sentry_approval_web.limits import Buckets
from tmux_sentry_approval_web.peers import Doorkeeper, Peer, Unwelcome
from tmux_sentry_approval_web.settings import Settings
from tmux_sentry_approval_web.visit import FORM, SESSION, Reply, Stop, Visit, busy, message, nowhere, unsealed

log = logging.getLogger("tmux_sentry.approval_web")

_TEMPLATES = Path(__file__).with_name("templates")
#: What is no token cannot stand in a cookie's path: it could say more than that.
_TOKEN = re.compile(r"/(?:a|login)/[A-Za-z0-9_.~-]+(?=/|\Z)")
Work = Callable[[Visit], Reply]


def build(desk: ApprovalDesk, settings: Settings, port: int) -> tuple[ASGIApp, list[tuple[str, str]]]:
    """The pages of a desk, for a server that listens on `port`, and the headers that each answer needs besides."""
    style = (_TEMPLATES / "style.css").read_text("utf-8").strip()
    door, theirs = Doorkeeper(settings, port), seals.Seals()
    asking = Asking(desk, theirs, Buckets())
    doors = Doors(desk, theirs, asking)
    pages = _Pages(style, door)
    routes = [
        Route("/a/{token}", pages.get(asking.link), methods=["GET"]),
        Route("/a/{token}", pages.post(asking.answer), methods=["POST"]),
        Route("/a/{token}/renew", pages.post(asking.renew), methods=["POST"]),
        Route("/login/{token}", pages.get(doors.ask), methods=["GET"]),
        Route("/login/{token}", pages.post(doors.login), methods=["POST"]),
        Route("/s/{handle}/", pages.get(doors.waiting), methods=["GET"]),
        Route("/s/{handle}/logout", pages.post(doors.logout), methods=["POST"]),
        Route("/s/{handle}/r/{id}", pages.get(asking.request), methods=["GET"]),
        Route("/s/{handle}/r/{id}", pages.post(asking.decide), methods=["POST"]),
        Route("/", pages.get(doors.outside), methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: pages.no_route})
    app.router.redirect_slashes = False
    return _Guard(app, door, pages), every_answer(style, https=settings.https)


class _Pages:
    """Makes endpoints of pages."""

    def __init__(self, style: str, door: Doorkeeper) -> None:
        self._door = door
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.globals["style"] = Markup(style)

    def get(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a page that changes nothing."""

        async def endpoint(request: Request) -> Response:
            visit = self.visit(request)
            return self.response(visit, await self._carry_out(work, visit, sent=False))

        return endpoint

    def post(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a form."""

        async def endpoint(request: Request) -> Response:
            visit = self.visit(request)
            try:
                form = await read_form(request.headers.get("content-type", ""), request.stream())
            except BadForm as error:
                title = visit.say("This form cannot be read")
                return self.response(visit, message(visit, title, str(error), status=error.status))
            if not self._from_here(request):
                return self.response(visit, unsealed(visit))
            visit = self.visit(request, form)
            return self.response(visit, await self._carry_out(work, visit, sent=True))

        return endpoint

    async def no_route(self, request: Request, error: Exception) -> Response:
        """No such page, or not with this method."""
        visit = self.visit(request)
        status = error.status_code if isinstance(error, HTTPException) else 500
        reply = nowhere(visit)
        if status != 404:
            reply = message(visit, visit.say("This cannot be done here"), status=status)
        response = self.response(visit, reply)
        if isinstance(error, HTTPException) and error.headers and "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response

    def visit(self, request: Request, form: Any = None) -> Visit:
        """What a request brings."""
        peer: Peer = request.scope["tmux_sentry.peer"]
        language = words.language(request.headers.get("accept-language", ""))
        cookie = request.cookies.get(_cookie("form", peer), "")
        path = {name: str(value) for name, value in request.path_params.items()}
        session = request.cookies.get(_cookie("session", peer), "")[:500]
        if home(session) != f"/s/{path.get('handle', '')}/":
            session = ""
        return Visit(
            peer=peer,
            language=language,
            say=words.speaker(language),
            nonce=seals.nonce(cookie),
            cookie=cookie,
            session=session,
            home=home(session) if session else _of_token(request.scope["path"]),
            path=path,
            query=dict(request.query_params),
            form=form or {},
        )

    def response(self, visit: Visit, reply: Reply) -> Response:
        """The answer as HTTP."""
        secure = visit.peer.secure
        if reply.to:
            response = Response(status_code=reply.status, headers={"Location": reply.to})
        else:
            page = self._templates.get_template(reply.template)
            text = page.render(**reply.values, _=visit.say, language=visit.language)
            response = HTMLResponse(text, reply.status)
            if visit.home and reply.session is None:
                # Strict: no request that another site begins brings it.
                response.set_cookie(
                    _cookie("form", visit.peer), visit.nonce, FORM, path=visit.home, secure=secure, httponly=True,
                    samesite="strict",
                )  # fmt: skip
        if reply.wait:
            response.headers["Retry-After"] = str(reply.wait)
        if reply.session:
            # Lax, so that it comes along when a login that began elsewhere leads on to the list; forms have their seal.
            response.set_cookie(
                _cookie("session", visit.peer), reply.session, SESSION, path=home(reply.session), secure=secure,
                httponly=True, samesite="lax",
            )  # fmt: skip
        elif reply.session is not None:
            response.delete_cookie(
                _cookie("session", visit.peer), path=visit.home, secure=secure, httponly=True, samesite="lax"
            )
        return response

    async def _carry_out(self, work: Work, visit: Visit, *, sent: bool) -> Reply:
        try:
            return await run_in_threadpool(work, visit)
        except Stop as stop:
            return stop.reply
        except Exception as error:  # the loop is ending, the disk is full: whatever it is, it is no answer
            log.warning("approval pages: %s: %s", type(error).__name__, clean(str(error), 200))
            return busy(visit, sent=sent)

    def _from_here(self, request: Request) -> bool:
        """What the browser itself says of where a form comes from, beside the seal.

        Because of Referrer-Policy: no-referrer it says "null" for the origin of our own forms (Fetch Standard, "append
        a request Origin header"). Then Sec-Fetch-Site tells, and in browsers without it the Strict cookie has to.
        """
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        own = origin is None or origin == "null" or self._door.is_own(origin)
        return own and site in (None, "same-origin", "none")


class _Guard:
    """Lets in who may ask, and lets no error out."""

    def __init__(self, app: ASGIApp, door: Doorkeeper, pages: _Pages) -> None:
        self._app = app
        self._door = door
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = False

        async def note(event: Message) -> None:
            nonlocal began
            began = True
            await send(event)

        client = scope.get("client") or ("", 0)
        try:
            scope["tmux_sentry.peer"] = self._door.meet(str(client[0]), str(scope["scheme"]), scope["headers"])
        except Unwelcome as error:
            await Response(f"{error}\n", error.status, media_type="text/plain")(scope, receive, send)
            return
        try:
            await self._app(scope, receive, note)
        except Exception as error:
            log.error("approval pages: %s", type(error).__name__)  # its text may hold an address
            if not began:
                request = Request(scope)
                visit = self._pages.visit(request)
                await self._pages.response(visit, busy(visit, sent=scope["method"] == "POST"))(scope, receive, send)


def _cookie(what: str, peer: Peer) -> str:
    """With __Secure- only a page by https can have set it. (__Host- would want the path /, and so give it to other
    ports.)"""
    return f"{'__Secure-' if peer.secure else ''}tmux-sentry-{what}"


def _of_token(path: str) -> str:
    """The path of a link's or a login's page, which this one is or is below; "" for others."""
    found = _TOKEN.match(path)
    return found[0] if found else ""
