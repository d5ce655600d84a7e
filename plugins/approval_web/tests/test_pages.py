"""What the pages show, and that looking at them changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from tmux_sentry_approval_web.times import machine_readable, moment

AGENTS = ("Slackbot-LinkExpanding 1.0", "TelegramBot (like TwitterBot)", "WhatsApp/2.23", "Mozilla/5.0", "curl/8.5")


def test_the_page_of_a_link_shows_all_that_a_person_must_know(site: Any, office: Any) -> None:
    request = office.ask(
        "./deploy.sh", "rm -rf \x1b[31m/tmp/\u202ex", approvers=["ann", "bob"], required=2, reason="Look <twice>",
        timeout="45m", on_timeout="reject",
    )  # fmt: skip
    other = site.phone()
    other.answer(f"/a/{office.link(request, 'bob')}", comment="fine")
    page = site.phone().get(f"/a/{office.link(request)}")
    assert page.status == 200
    for words in (
        "webapp-ci", "Approve deploy?",
        "Send 1 of 2", "./deploy.sh<Enter>", "Send 2 of 2", r"rm -rf \x1b[31m/tmp/\u202ex",
        "deploy, attempt 1", "work:agent.0 on build-1", "Look <twice>", "45 min", "until 2026-11-22 10:05 UTC",
        "1 of 2 have said yes", "ann, bob", "You answer as ann", "bob : yes", "fine", "342 passed in 61 s",
    ):  # fmt: skip
        assert words in page.words, words
    assert "Code" not in page.words
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert '<html lang="en">' in page.text


TIMES = [  # what the policy says, seconds that have gone, what the page says of the time left, and what it does not
    (
        {"timeout": "45m", "on_timeout": "hold"}, 60,
        "Time left 44 min until 2026-11-22 10:05 UTC Then the stage is held, and an answer still counts.", "stays open",
    ),
    (
        {"timeout": "45m", "on_timeout": "hold"}, 2700,
        "Its time is over. It stays open until somebody decides. 2026-11-22 10:05 UTC", "still counts",
    ),
    (
        {"timeout": "45m", "on_timeout": "reject"}, 60,
        "Time left 44 min until 2026-11-22 10:05 UTC Asked", "still counts",
    ),
    ({"timeout": "45m", "on_timeout": "reject"}, 2700, "Its time is over. 2026-11-22 10:05 UTC Asked", "stays open"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "gone", "says", "says_not"), TIMES)
def test_the_time_left_is_the_policys_and_what_comes_then(
    site: Any, office: Any, policy: dict[str, str], gone: int, says: str, says_not: str
) -> None:
    request = office.ask(**policy)
    office.clock.advance(gone)
    page = site.phone().get(f"/a/{office.link(request)}")
    assert says in page.words
    assert says_not not in page.words


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_decided_request_has_no_time_left(site: Any, office: Any, decision: str) -> None:
    request = office.ask()
    path, late = (f"/a/{office.link(request, who)}" for who in ("ann", "bob"))
    for page in (site.phone().answer(path, decision), site.phone().get(late)):
        assert "Time left" not in page.words
        assert "open until" not in page.words


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        ("Europe/Berlin", "2026-11-22 10:20 CET (UTC+01:00)"),
        ("Asia/Kathmandu", "2026-11-22 15:05 (UTC+05:45)"),
        ("America/St_Johns", "2026-11-22 05:50 NST (UTC-03:30)"),
        ("UTC", "2026-11-22 09:20 UTC"),
    ],
)
def test_times_are_those_of_the_policys_zone(serve: Any, office: Any, zone: str, at: str) -> None:
    class Elsewhere:
        def look(self, *args: Any) -> Any:
            return replace(office.window.look(*args), zone=zone)

    request = office.ask(required=2, timeout="45m", on_timeout="reject")
    office.window.vote(office.link(request, "bob"), approved=True, digest=request.request.digest)
    page = serve(Elsewhere()).phone().get(f"/a/{office.link(request)}")
    assert f"Asked {at}" in page.words
    assert f"bob : yes {at}, link sent" in page.words
    assert '<time datetime="2026-11-22T10:05:00Z">' in page.text


def test_without_a_zone_in_the_policy_times_are_the_systems() -> None:
    code = "from tmux_sentry_approval_web.times import moment; print(moment(1_795_339_200.0, ''))"
    for zone, text in (("Asia/Tokyo", "2026-11-22 18:20 JST (UTC+09:00)"), ("UTC", "2026-11-22 09:20 UTC")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "TZ": zone}, capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == text, done.stderr


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300, -1e300])
def test_a_moment_that_is_none_is_shown_as_such(seconds: float) -> None:
    assert (moment(seconds, "Europe/Berlin"), machine_readable(seconds)) == ("?", "")


@pytest.mark.parametrize(("risk", "words"), [("high", "High risk"), ("normal", "Normal risk"), ("low", "Low risk")])
def test_the_risk_is_said_in_words(site: Any, office: Any, risk: str, words: str) -> None:
    page = site.phone().get(f"/a/{office.link(office.ask(risk=risk))}")
    assert words in page.words
    assert ('name="code"' in page.text) == (risk == "high")


def test_markup_from_panes_and_people_is_text(site: Any, office: Any) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=y>{{ 7*7 }}\"'"
    office.screen = [evil]
    request = office.ask(evil, stage="build", reason=evil, required=2)
    site.phone().answer(f"/a/{office.link(request, evil)}", comment=evil)
    page = site.phone().get(f"/a/{office.link(request)}")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert page.text.count("&lt;script&gt;") >= 4
    assert "{{ 7*7 }}" in page.words


def test_a_long_send_is_not_cut_unsaid_and_cannot_be_approved_here(site: Any, office: Any) -> None:
    request = office.ask("x" * 25_000)
    path = f"/a/{office.link(request)}"
    phone = site.phone()
    page = phone.get(path)
    assert page.text.count("x" * 20_000) == 1
    assert "x" * 20_001 not in page.text
    assert f"{5000 + len('<Enter>')} characters are missing" in page.words
    assert f"tmux-sentry approve {request.request.id}" in page.words
    assert 'value="approve"' not in page.text
    refused = phone.post(path, {**page.fields, "decision": "approve"})
    assert refused.status == 409
    assert "only be approved at the terminal" in refused.words
    assert office.typed == []
    assert phone.answer(path, "reject").status == 200
    assert office.store.approval(request.request.id).status == "rejected"


def test_twenty_thousand_characters_are_shown_whole(site: Any, office: Any) -> None:
    request = office.ask("x" * (20_000 - len("<Enter>")))
    page = site.phone().get(f"/a/{office.link(request)}")
    assert "missing" not in page.words
    assert 'value="approve"' in page.text


def test_sends_beyond_two_hundred_are_counted_as_missing(site: Any, office: Any) -> None:
    page = site.phone().get(f"/a/{office.link(office.ask(*(f'send {n}' for n in range(205))))}")
    assert "send 199<Enter>" in page.words
    assert "send 200<Enter>" not in page.words
    assert "characters are missing" in page.words
    assert 'value="approve"' not in page.text


def test_the_language_is_the_browsers(site: Any, office: Any) -> None:
    page = site.phone().get(f"/a/{office.link(office.ask())}", **{"Accept-Language": "fr, zh-CN;q=0.9, en;q=0.1"})
    assert '<html lang="zh-Hans">' in page.text
    assert "批准 deploy？" in page.words
    assert "What will be typed" not in page.words


# ------------------------------------------------------------------------------ headers


def test_every_answer_has_every_header(site: Any, office: Any) -> None:
    phone, path = site.phone(), f"/a/{office.link(office.ask())}"
    pages = [
        phone.get(path),
        phone.answer(path),
        phone.get("/a/bad"),
        phone.get("/"),
        phone.get("/nowhere"),
        phone.get("/favicon.ico"),
        phone.ask("DELETE", path),
        phone.post(path, {}),
        phone.get(path, Host="evil.example"),
        phone.ask("POST", path, b"x" * 100_000, {"Content-Type": "application/x-www-form-urlencoded"}),
        site.raw(b"GET /a/x y z HTTP/1.1\r\n\r\n"),
        site.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000),
    ]
    assert [page.status for page in pages] == [200, 200, 403, 403, 404, 404, 405, 403, 421, 413, 400, 400]
    for page in pages:
        policy = page.header("Content-Security-Policy")
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'; "
            r"base-uri 'none'",
            policy,
        )
        assert page.header("X-Content-Type-Options") == "nosniff"
        assert page.header("X-Frame-Options") == "DENY"
        assert page.header("Referrer-Policy") == "no-referrer"
        assert page.header("Cache-Control") == "no-store"
        assert page.header("Cross-Origin-Opener-Policy") == "same-origin"
        assert page.header("Cross-Origin-Resource-Policy") == "same-origin"
        assert "camera=()" in page.header("Permissions-Policy")
        assert "noindex" in page.header("X-Robots-Tag")
        assert page.header("Server") == page.header("Date") == page.header("Strict-Transport-Security") == ""
        assert "Traceback" not in page.text
        assert "<script" not in page.text


def test_the_policy_names_the_style_that_the_page_has(site: Any, office: Any) -> None:
    import base64
    import hashlib

    page = site.phone().get(f"/a/{office.link(office.ask())}")
    (style,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.header("Content-Security-Policy")
    assert "style=" not in page.text
    assert not re.search(r"\son\w+=", page.text)


def test_by_https_cookies_and_the_connection_are_for_https_only(serve: Any, office: Any) -> None:
    site = serve(base="https://sentry.example.org")
    page = site.phone(Host="sentry.example.org").get(f"/a/{office.link(office.ask())}")
    assert page.header("Strict-Transport-Security") == "max-age=31536000"
    cookie = page.header("Set-Cookie")
    assert cookie.startswith("__Secure-tmux-sentry-form=")
    assert {"Secure", "HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_by_loopback_the_cookie_is_not_read_by_scripts_or_other_sites(site: Any, office: Any) -> None:
    path = f"/a/{office.link(office.ask())}"
    cookie = site.phone().get(path).header("Set-Cookie")
    assert {"HttpOnly", "SameSite=strict", f"Path={path}", "Max-Age=14400"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


# -------------------------------------------------------------------- looking is harmless


def test_looking_changes_nothing(site: Any, office: Any) -> None:
    """A link-preview robot: GET, HEAD, and whatever the page links to or loads, as several programs."""
    request = office.ask(risk="high")
    old = office.link(request)
    office.clock.advance(4000)
    phone = site.logged_in()
    inside = [f"{phone.home}{rest}" for rest in ("", f"r/{request.request.id}", "logout")]
    paths = [f"/a/{office.link(request)}", f"/a/{old}", site.login(), "/", *inside]
    before = office.dump()
    for number in range(200):
        robot = phone if number % 2 else site.phone(**{"User-Agent": AGENTS[number % len(AGENTS)]})
        path = paths[number % len(paths)]
        page = robot.get(path)
        head = robot.ask("HEAD", path)
        assert head.text == ""
        assert head.status == page.status
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.text):
            assert link.startswith("/")
            robot.get(link)
    assert office.dump() == before
    assert office.typed == []
    assert office.resent == []


def test_a_method_that_a_page_does_not_have_is_refused(site: Any, office: Any) -> None:
    path = f"/a/{office.link(office.ask())}"
    before = office.dump()
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        page = site.phone().ask(method, path)
        assert page.status == 405
        assert page.header("Allow")
    assert office.dump() == before


def test_the_core_that_does_not_answer_is_no_answer(serve: Any, office: Any) -> None:
    class Broken:
        def look(self, *args: Any, **more: Any) -> Any:
            if self.works:
                return office.window.look(*args, **more)
            raise OSError("disk full: /secret/path")

        def vote(self, *args: Any, **more: Any) -> Any:
            raise OSError("stopping")

        works = False

    desk = Broken()
    site, phone = serve(desk), None
    phone, path = site.phone(), f"/a/{office.link(office.ask())}"
    page = phone.get(path)
    assert page.status == 503
    assert "Nothing was decided by this page" in page.words
    assert "tmux-sentry approvals" in page.words
    assert "secret" not in page.text
    desk.works = True
    page = phone.answer(path)
    assert page.status == 503
    assert "It is not known whether your answer was taken" in page.words
    assert "Nothing was decided" not in page.words


def test_a_settled_request_says_so_and_has_no_buttons(site: Any, office: Any) -> None:
    request = office.ask()
    path = f"/a/{office.link(request, 'bob')}"
    site.phone().answer(f"/a/{office.link(request)}")
    page = site.phone().get(path)
    assert "The request is approved by ann" in page.words
    assert "<form" not in page.text


def test_hostile_names_are_cleaned_again(office: Any, serve: Any) -> None:
    request = office.ask()

    class Hostile:
        def look(self, *args: Any) -> Any:
            view = office.window.look(*args)
            pane = replace(view.request.pane, host="h\u202e<b>")
            return replace(view, request=replace(view.request, pipeline="p\x1b[31m\u200b", pane=pane, risk="nuclear"))

    page = serve(Hostile()).phone().get(f"/a/{office.link(request)}")
    assert "\u202e" not in page.text
    assert "\u200b" not in page.text
    assert "h\N{REPLACEMENT CHARACTER}<b>" in page.words
    assert "Normal risk" in page.words


class AboutDialog:
    """The office's desk, whose requests are about a dialog of the agent."""

    def __init__(self, office: Any, *about: str) -> None:
        self._office, self._about = office, about

    def __getattr__(self, name: str) -> Any:
        return getattr(self._office.window, name)

    def look(self, token: str, request_id: str = "") -> Any:
        return self._with(self._office.window.look(token, request_id))

    def pending(self, *args: Any) -> Any:
        views, total = self._office.window.pending(*args)
        return [self._with(view) for view in views], total

    def _with(self, view: Any) -> Any:
        return replace(view, request=replace(view.request, about=self._about))


def test_a_question_about_the_agents_dialog_shows_the_dialog_before_the_keys(serve: Any, office: Any) -> None:
    lines = ("Do you want to run <b>this</b>?", "command: rm -rf \x1b[2J/tmp/x", "no types: <Escape>")
    page = serve(AboutDialog(office, *lines)).phone().get(f"/a/{office.link(office.ask('1'))}")
    assert "The agent asks" in page.words
    assert "Do you want to run <b>this</b>?" in page.words
    assert r"command: rm -rf \x1b[2J/tmp/x" in page.words
    assert page.words.index("The agent asks") < page.words.index("What a yes types")
    assert "It stays open until the dialog is gone." in page.words
    assert "still counts" not in page.words
    assert "<b>" not in page.text
    assert "The agent asks" not in serve().phone().get(f"/a/{office.link(office.ask())}").words


def test_the_list_shows_what_the_agent_asks_beside_the_key(serve: Any, office: Any) -> None:
    office.ask("1", timeout="45m")
    command = "command: rm -rf \x1b[2J/tmp/" + "x" * 300
    phone = serve(AboutDialog(office, "Run <b>this</b>?", command, "- Yes (1)")).logged_in()
    page = phone.get(phone.home)
    asked = "The agent asks: Run <b>this</b>? command: rm -rf \\x1b[2J/tmp/"
    assert asked in page.words
    assert "… What a yes types: 1<Enter>" in page.words
    assert "- Yes" not in page.words
    assert "Time left" not in page.words, "a dialog is asked about until it is gone"
    assert "x" * 200 not in page.text
    plain = serve().logged_in()
    words = plain.get(plain.home).words
    assert "The agent asks" not in words
    assert "Time left: 45 min" in words


def test_a_dialog_that_is_not_shown_whole_is_not_approved_on_a_page(serve: Any, office: Any) -> None:
    request = office.ask("1")
    path = f"/a/{office.link(request)}"
    phone = serve(AboutDialog(office, "x" * 30_000)).phone()
    page = phone.get(path)
    assert "10000 characters are missing" in page.words.replace(",", "")
    assert 'value="approve"' not in page.text
    phone.post(path, {**page.fields, "decision": "approve"})
    assert office.store.approval(request.request.id).status == "pending"
