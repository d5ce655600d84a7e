"""Ten thousand tokens that are not good: none opens anything or decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tmux_sentry import LinkRefused
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.testing.window import NOON, Office

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
FOREIGN = Tokens(("somebody else's secret, long enough as well",))


def tampered(good: str, rng: random.Random) -> str:
    """With one character changed, left out, added, or two exchanged; never the same.

    The last character of base64 is left alone: it has bits that mean nothing.
    """
    at = rng.randrange(len(good) - 1)
    change = rng.randrange(5)
    if change == 0:
        found = good[:at] + rng.choice(LETTERS) + good[at + 1 :]
    elif change == 1:
        found = good[:at] + good[at + 1 :]
    elif change == 2:
        found = good[:at] + rng.choice(LETTERS) + good[at:]
    elif change == 3:
        found = good[:at]
    else:
        other = {"tsa_": "tsl_", "tsl_": "tss_", "tss_": "tsa_"}
        found = other.get(good[:4], "tsa_") + good[4:]
    return found if found != good else good + "x"


def bad_tokens(office: Office, good: str, used: str, old: str, revoked: str) -> Iterator[str]:
    """(Seeded, so that a failure comes again.)"""
    rng = random.Random(20261129)
    for _ in range(9_000):
        yield tampered(rng.choice([good, used]), rng)
    for _ in range(700):
        yield FOREIGN.make(rng.choice(["link", "login", "session"]), NOON + 3600)[0]
    for _ in range(150):
        yield office.tokens.make(rng.choice(["link", "login", "session"]), NOON + 3600)[0]  # genuine, and not known
    for _ in range(50):
        yield old
        yield revoked
        yield used


@pytest.fixture
def tokens(office: Office) -> dict[str, Any]:
    """A request, a good link to it, and three that are over."""
    request = office.ask(required=2)
    over = office.ask()
    old = office.link(request)
    revoked = office.link(over)
    with office.store.transaction() as tx:
        tx.revoke_links(approval_id=over.request.id)
    office.clock.advance(3700)
    good, used = office.link(request), office.link(request, "bob")
    office.window.vote(used, approved=True, digest=request.request.digest)
    return {"request": request, "good": good, "used": used, "old": old, "revoked": revoked}


def test_of_ten_thousand_none_decides(office: Office, tokens: dict[str, Any]) -> None:
    digest = tokens["request"].request.digest
    names = ("good", "used", "old", "revoked")
    count, opened = 0, 0
    for token in bad_tokens(office, *(tokens[name] for name in names)):
        count += 1
        for attempt in _attempts(office, token, digest):
            try:
                answer = attempt()
            except LinkRefused:
                continue
            assert token == tokens["used"], token
            opened += 1
            assert not answer.counted
    assert count == 10_000
    assert opened == 50
    assert office.typed == []
    votes = office.store.votes(tokens["request"].request.id)
    assert [vote.by for vote in votes if vote.counted] == ["bob"]
    assert office.window.vote(tokens["good"], approved=True, digest=digest).status == "approved", (
        "and the good one does"
    )


def _attempts(office: Office, token: str, digest: str) -> list[Callable[[], Any]]:
    return [
        lambda: office.window.vote(token, approved=True, digest=digest),
        lambda: office.window.login(token),
        lambda: office.window.pending(token),
    ]


def test_nor_do_two_hundred_over_http(site: Any, office: Office, tokens: dict[str, Any]) -> None:
    names = ("good", "used", "old", "revoked")
    every = list(bad_tokens(office, *(tokens[name] for name in names)))
    phone = site.phone()
    form = phone.get(f"/a/{tokens['good']}").fields
    before = office.dump()
    for token in every[::50]:
        page = phone.get(f"/a/{token}")
        assert page.status in (403, 404, 410, 429) or token == tokens["used"]
        posted = phone.post(f"/a/{token}", {**form, **page.fields, "decision": "approve"})
        assert posted.status in (403, 404, 405, 410, 429)
        assert phone.post(f"/login/{token}", {**form, "decision": "approve"}).status in (403, 404, 405, 429)
    assert office.dump() == before
    assert phone.post(f"/a/{tokens['good']}", {**form, "decision": "approve"}).status == 200
