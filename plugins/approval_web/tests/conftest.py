"""The real pages on a loopback port, before a real desk over a real database file; and a plain browser for them."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tmux_sentry.testing.window import Office, opened
from tmux_sentry_approval_web.backend import WebApprovals
from tmux_sentry_approval_web.settings import Settings

_FIELD = re.compile(r'<(?:input|button)[^>]* name="(csrf|digest)" value="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer. `fields` are the hidden ones of its first form that has them."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return "; ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def fields(self) -> dict[str, str]:
        return {name: unescape(value) for name, value in reversed(_FIELD.findall(self.text))}

    @property
    def words(self) -> str:
        """What a person reads."""
        body = re.sub(r"<style>.*?</style>", "", self.text, flags=re.DOTALL)
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


@dataclass(kw_only=True)
class Phone:
    """A browser with cookies and no script. `headers` go with every request. A cookie has a name and a path."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        """The path of the list of who is logged in."""
        return next(path for name, path in self.cookies if name == "tmux-sentry-session")

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {**self.headers, **(headers or {})}
        if mine := [f"{name}={value}" for (name, below), value in self.cookies.items() if _is_below(path, below)]:
            sent.setdefault("Cookie", "; ".join(mine))
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            page = Page(
                status=answer.status, headers=answer.getheaders(), text=answer.read().decode("utf-8", "replace")
            )
        finally:
            connection.close()
        for name, value in page.headers:
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition(";")
                key, _, text = cookie.partition("=")
                where = (key, re.findall(r"; Path=([^;]*)", f";{rest}")[0])
                self.cookies[where] = text.strip('"')
                if "max-age=0" in rest.lower():
                    self.cookies.pop(where)
        return page

    def get(self, path: str, **headers: str) -> Page:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: Mapping[str, str] | list[tuple[str, str]], **headers: str) -> Page:
        body = urlencode(fields).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.ask("POST", path, body, sent)

    def answer(self, path: str, decision: str = "approve", **fields: str) -> Page:
        """Open a page and press a button on it."""
        return self.post(path, {**self.get(path).fields, "decision": decision, **fields})


def _is_below(path: str, cookie: str) -> bool:
    """Whether a cookie of this path is sent there (RFC 6265, section 5.1.4)."""
    path = path.partition("?")[0]
    return path == cookie or (path.startswith(cookie) and (cookie.endswith("/") or path[len(cookie)] == "/"))


@dataclass(kw_only=True)
class Site:
    """The pages, and the desk behind them."""

    office: Office
    backend: WebApprovals

    @property
    def port(self) -> int:
        return int(self.backend.origin.rpartition(":")[2])

    def phone(self, **headers: str) -> Phone:
        return Phone(port=self.port, headers=headers)

    def raw(self, data: bytes) -> Page:
        """What is answered to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Page(status=answer.status, headers=answer.getheaders(), text=answer.read().decode())

    def logged_in(self, who: str = "ann") -> Phone:
        """A browser with a session."""
        phone = self.phone()
        path = self.login(who)
        assert phone.post(path, phone.get(path).fields).status == 303
        return phone

    def login(self, who: str = "ann") -> str:
        """The path of a fresh login link."""
        token = self.office.on_loop(lambda: self.office.window.invite(who))
        return self.backend.link(token).removeprefix(self.backend.origin)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with opened(tmp_path / "state.db") as found:
        yield found


@pytest.fixture
def serve(office: Office) -> Iterator[Callable[..., Site]]:
    """Serve the office's desk, or `desk`, with these settings."""
    served: list[WebApprovals] = []

    def make(desk: Any = None, **settings: Any) -> Site:
        backend = WebApprovals(replace(Settings(port=0), **settings))
        served.append(backend)
        backend.serve(desk or office.window)
        return Site(office=office, backend=backend)

    yield make
    for backend in served:
        backend.stop()


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()
