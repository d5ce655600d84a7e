"""Logging in, sessions, and the list of what waits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tmux_sentry_approval_web.handles import home


def test_a_login_link_asks_first_and_then_works_once(site: Any, office: Any) -> None:
    path, phone = site.login("ann"), site.phone()
    page = phone.get(path)
    assert page.status == 200
    assert "Log in as ann?" in page.words
    assert site.phone().get(path).status == 200, "looking does not use it up"
    done = phone.post(path, page.fields)
    assert (done.status, done.header("Location")) == (303, phone.home)
    cookie = set(done.header("Set-Cookie").split("; "))
    assert {"HttpOnly", "SameSite=lax", f"Path={phone.home}", "Max-Age=43200"} <= cookie
    assert re.fullmatch(r"/s/[A-Za-z0-9_-]{22}/", phone.home)
    assert phone.get(phone.home).status == 200
    again = site.phone()
    assert again.post(path, page.fields).status == 403
    assert phone.post(path, page.fields).status == 403
    assert "has been used" in phone.get(path).words
    assert again.get(phone.home).status == 403


def test_a_login_link_needs_its_form(site: Any, office: Any) -> None:
    path, phone = site.login(), site.phone()
    phone.get(path)
    before = office.dump()
    assert phone.post(path, {}).status == 403
    assert phone.post(path, phone.get(path).fields, Origin="https://evil.example").status == 403
    assert office.dump() == before


@pytest.mark.parametrize("seconds", [601, 24 * 3600])
def test_an_old_login_link_opens_nothing_and_offers_none(site: Any, office: Any, seconds: int) -> None:
    path = site.login()
    office.clock.advance(seconds)
    page = site.phone().get(path)
    assert page.status == 403
    assert "too old" in page.words
    assert "<form" not in page.text


def test_a_stranger_is_told_how_to_log_in(site: Any, office: Any) -> None:
    request = office.ask()
    home = site.logged_in().home
    for path in ("/", home, f"{home}r/{request.request.id}", "/s/x/", f"/s/x/r/{request.request.id}"):
        page = site.phone().get(path)
        assert page.status == 403
        assert "tmux-sentry approvals login" in page.words
        assert "webapp-ci" not in page.words


def test_a_link_is_no_session_and_a_session_is_no_link(site: Any, office: Any) -> None:
    request = office.ask()
    link = office.link(request)
    phone = site.phone()
    phone.cookies["tmux-sentry-session", home(link)] = link
    assert phone.get(home(link)).status == 403
    assert phone.get(f"/login/{link}").status == 403
    member = site.logged_in()
    session = member.cookies["tmux-sentry-session", member.home]
    assert site.phone().get(f"/login/{session}").status in (200, 403)
    used = site.phone()
    page = used.get(f"/login/{session}")
    assert used.post(f"/login/{session}", page.fields).status == 403
    assert site.phone().get(f"/login/{site.login().rpartition('/')[2]}").status == 200


def test_who_is_logged_in_answers_without_a_code(site: Any, office: Any) -> None:
    request = office.ask(risk="high")
    phone = site.logged_in("ann")
    listed = phone.get(phone.home)
    assert "1 request waits" in listed.words
    assert "High risk" in listed.words
    (path,) = re.findall('href="(/s/[^"]+/r/[^"]+)"', listed.text)
    page = phone.get(path)
    assert "Code" not in page.words
    assert "You answer as ann" in page.words
    done = phone.answer(path, comment="ok")
    assert done.status == 200
    assert office.typed == ["make deploy"]
    (vote,) = office.store.votes(request.request.id)
    assert (vote.by, vote.known) == ("ann", "login")
    again = phone.post(path, {**page.fields, "decision": "approve"})
    assert again.status == 200
    assert "recorded already" in again.words
    assert f'<a href="{phone.home}">Requests that wait</a>' in again.text
    assert "Nothing waits" in phone.get(phone.home).words


def test_the_form_of_a_session_is_for_that_session(site: Any, office: Any) -> None:
    request = office.ask().request.id
    ann, bob = site.logged_in("ann"), site.logged_in("bob")
    anns, bobs = f"{ann.home}r/{request}", f"{bob.home}r/{request}"
    fields = {**ann.get(anns).fields, "decision": "approve"}
    for phone in (bob, site.phone()):
        for path in (anns, bobs):
            assert phone.post(path, fields).status == 403
    ann.cookies["tmux-sentry-session", bob.home] = bob.cookies["tmux-sentry-session", bob.home]
    assert ann.post(bobs, fields).status == 403
    assert office.typed == []


def test_the_addresses_of_one_session_are_not_those_of_another(site: Any, office: Any) -> None:
    """Whatever cookie comes along: as if nobody were logged in, and with no other answer."""
    request = office.ask().request.id
    ann, bob, nobody = site.logged_in("ann"), site.logged_in("bob"), site.phone()
    form = ann.get(f"{ann.home}r/{request}").fields
    sent = {"Cookie": "; ".join(f"{name}={value}" for (name, _), value in ann.cookies.items())}
    before = office.dump()
    for other in (bob.home, "/s/x/", f"{ann.home[:-2]}/"):
        for rest in ("", "?page=1", f"r/{request}", "r/nothing"):
            page = ann.get(other + rest, **sent)
            assert (page.status, page.text) == (403, nobody.get(other + rest).text)
        for rest in (f"r/{request}", "logout"):
            page = ann.post(other + rest, {**form, "decision": "approve"}, **sent)
            assert (page.status, page.text) == (403, nobody.post(other + rest, form).text)
    assert office.dump() == before
    assert ann.get(ann.home).status == 200


@pytest.mark.parametrize("settings", [{}, {"base": "https://sentry.example.org"}], ids=["loopback", "https"])
def test_every_cookie_is_for_its_page_only(serve: Any, office: Any, settings: dict[str, str]) -> None:
    """A browser sends a cookie to every port of the host; by its path, to nobody who does not know that."""
    site = serve(**settings)
    phone = site.phone(**({"Host": "sentry.example.org"} if settings else {}))
    link, old = f"/a/{office.link(office.ask())}", f"/a/{office.link(office.ask())}"
    login = f"/login/{site.login().rpartition('/')[2]}"
    form = phone.get(login).fields
    location = phone.post(login, form).header("Location")
    for path in (
        location,
        f"{location}?page=2",
        link,
        "/",
        "/nowhere",
        "/a/bad%3B%20Path=%2F",
        "/login/x%3B%20Path=%2F",
    ):
        phone.get(path)
    office.clock.advance(3700)
    fresh = phone.get(old).fields
    assert phone.post(f"{old}/renew", fresh).status == 200
    assert {path for _, path in phone.cookies} == {link, old, login, location}
    assert all(name.startswith("__Secure-") == bool(settings) for name, _ in phone.cookies)


def test_the_form_of_one_request_is_not_that_of_another(site: Any, office: Any) -> None:
    one, other = office.ask("make one"), office.ask("make other")
    phone = site.logged_in()
    first, second = f"{phone.home}r/{one.request.id}", f"{phone.home}r/{other.request.id}"
    fields = {**phone.get(first).fields, "decision": "approve"}
    assert phone.post(second, fields).status == 403
    right = phone.get(second).fields
    page = phone.post(second, {**fields, "csrf": right["csrf"]})
    assert page.status == 409
    assert office.typed == []


def test_an_unknown_request_is_nowhere(site: Any, office: Any) -> None:
    phone = site.logged_in()
    for name in ("nothing", "%00", "%2e%2e", "x" * 2000, "%3Cscript%3E"):
        page = phone.get(f"{phone.home}r/{name}")
        assert page.status == 404
        assert "<script" not in page.text


def test_a_session_ends_when_it_is_over_or_logged_out(site: Any, office: Any) -> None:
    phone, other = site.logged_in(), site.logged_in()
    mine, form = phone.home, phone.get(phone.home).fields
    stolen = dict(phone.cookies)
    assert phone.post(f"{mine}logout", {}).status == 403
    assert phone.get(mine).status == 200
    page = phone.post(f"{mine}logout", form)
    assert page.status == 200
    assert "tmux-sentry-session" not in {name for name, _ in phone.cookies}
    phone.cookies.update(stolen)
    assert phone.get(mine).status == 403
    office.clock.advance(12 * 3600)
    assert other.get(other.home).status == 403


def test_more_requests_than_anybody_has_are_listed_fifty_a_page(site: Any, office: Any) -> None:
    for number in range(230):
        office.ask(f"make {number}", stage=f"s{number}")
    phone = site.logged_in()
    page, seen, path = phone.get(phone.home), [], phone.home
    assert "230 requests wait" in page.words
    assert "Page 1 of 5" in page.words
    assert "Previous" not in page.words
    while path:
        page = phone.get(path)
        rows = re.findall(r"<strong>webapp-ci: (s\d+)</strong>", page.text)
        seen += rows
        path = next(iter(re.findall(r'rel="next" href="([^"]+)"', page.text)), "")
        assert len(rows) == (50 if path else 30)
    assert len(set(seen)) == 230
    assert "Page 5 of 5" in page.words
    for odd in ("?page=0", "?page=-1", "?page=99999999", "?page=x", "?page=9" + "9" * 500, "?page=%00", "?page=%C2%B2"):
        assert phone.get(f"{phone.home}{odd}").status == 200


def test_without_a_base_url_a_login_is_opened_on_this_machine_and_nothing_else_has_a_link(site: Any) -> None:
    assert site.backend.link("tsl_x") == f"http://127.0.0.1:{site.port}/login/tsl_x"
    assert site.backend.link("tsa_x") == ""


def test_with_a_base_url_links_lead_there(serve: Any, office: Any) -> None:
    backend = serve(base="https://sentry.example.org").backend
    assert backend.link("tsl_x") == "https://sentry.example.org/login/tsl_x"
    assert backend.link("tsa_x") == "https://sentry.example.org/a/tsa_x"
    assert backend.open(office.ask().request) == "", "no address is right for everybody who is logged in"
