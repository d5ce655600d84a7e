"""One answer a link, whatever is sent how often; and what the person is told of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def status(office: Any, request: Any) -> str:
    return str(office.store.approval(request.request.id).status)


@pytest.mark.parametrize(
    ("decision", "outcome", "typed"), [("approve", "Approved", ["make deploy"]), ("reject", "Rejected", [])]
)
def test_a_button_decides(site: Any, office: Any, decision: str, outcome: str, typed: list[str]) -> None:
    request = office.ask()
    page = site.phone().answer(f"/a/{office.link(request)}", decision, comment="why not\r\nindeed")
    assert page.status == 200
    assert outcome in page.words
    assert office.typed == typed
    stored = office.store.approval(request.request.id)
    assert (stored.status, stored.decided_by, stored.channel) == (outcome.lower(), "ann", "web")
    assert stored.comment == "why not indeed"
    (vote,) = office.store.votes(request.request.id)
    assert vote.known == "link sent by chat to ann"


def test_the_same_form_again_is_one_answer(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    fields = {**phone.get(path).fields, "decision": "approve"}
    first = phone.post(path, fields)
    after = office.dump()
    for _ in range(3):
        again = phone.post(path, fields)
        assert again.status == 200
        assert "This answer is recorded already" in again.words
        assert "It is recorded under the name ann" in again.words
    assert first.status == 200
    assert office.dump() == after
    assert office.typed == ["make deploy"]


def test_another_answer_by_a_used_link_does_not_count(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    fields = phone.get(path).fields
    phone.post(path, {**fields, "decision": "approve"})
    page = phone.post(path, {**fields, "decision": "reject"})
    assert page.status == 409
    assert "This link has been used" in page.words
    assert status(office, request) == "approved"


def test_of_a_hundred_at_once_one_decides(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    fields = phone.get(path).fields
    cookies = dict(phone.cookies)

    def press(number: int) -> int:
        own = site.phone()
        own.cookies.update(cookies)
        return int(own.post(path, {**fields, "decision": "reject" if number % 2 else "approve"}).status)

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(press, range(100)))
    votes = office.store.votes(request.request.id)
    assert set(found) <= {200, 409}
    assert [vote.counted for vote in votes].count(True) == 1
    assert len(office.typed) == (1 if votes[0].approved else 0)
    said = "approve" if status(office, request) == "approved" else "reject"
    assert found.count(200) == 50, f"the {said}s are told that it is so, the others that it is not"


def test_a_late_answer_is_told_who_decided_and_how(site: Any, office: Any) -> None:
    request = office.ask()
    late, phone = f"/a/{office.link(request, 'bob')}", site.phone()
    fields = phone.get(late).fields
    site.phone().answer(f"/a/{office.link(request)}", comment="go")
    page = phone.post(late, {**fields, "decision": "reject"})
    assert page.status == 409
    assert "Too late: the request is already approved by ann" in page.words
    assert "ann : yes" in page.words
    assert "2026-11-22 09:20 UTC" in page.words
    assert "<form" not in page.text


def test_the_digest_of_another_request_decides_nothing(site: Any, office: Any) -> None:
    one, other = office.ask("make one"), office.ask("make other")
    path = f"/a/{office.link(one)}"
    for digest in (other.request.digest, "", "0" * 64, one.request.digest.upper()):
        page = site.phone().answer(path, digest=digest)
        assert page.status == 409
        assert "something else was shown" in page.words.lower()
    assert office.typed == []
    assert status(office, one) == status(office, other) == "pending"
    assert site.phone().answer(path).status == 200, "the link was not used up"


@pytest.mark.parametrize("decision", ["", "yes", "Approve", "approve ", "none"])
def test_neither_button_decides_nothing_and_keeps_what_was_written(site: Any, office: Any, decision: str) -> None:
    request = office.ask()
    before = office.dump()
    page = site.phone().answer(f"/a/{office.link(request)}", decision, comment="half <a> thought")
    assert page.status == 400
    assert "Nothing was decided" in page.words
    assert "half &lt;a&gt; thought" in page.text
    assert {**office.dump(), "links": []} == {**before, "links": []}


def test_two_must_say_yes(site: Any, office: Any) -> None:
    request = office.ask(approvers=["ann", "bob"], required=2)
    page = site.phone().answer(f"/a/{office.link(request)}")
    assert "Your answer was noted" in page.words
    assert "1 of 2 have said yes" in page.words
    assert office.typed == []
    again = site.phone().answer(f"/a/{office.link(request)}")
    assert again.status == 200, "another link of the same person"
    assert "recorded already" in again.words
    assert office.typed == []
    assert "Approved" in site.phone().answer(f"/a/{office.link(request, 'bob')}").words
    assert office.typed == ["make deploy"]


def test_a_stranger_is_told_and_does_not_count(site: Any, office: Any) -> None:
    request = office.ask(approvers=["Ann@Example.org", "bob"])
    page = site.phone().get(f"/a/{office.link(request)}")
    assert "<title>You are not one of the approvers" in page.text
    assert "You are not one of the approvers An answer under the name ann does not count." in page.words
    assert "No answer counts any more" not in page.words
    chinese = site.phone(**{"Accept-Language": "zh-CN"}).get(f"/a/{office.link(request)}")
    assert "您不在审批人之列 以 ann 的名义作出的回答不计入。" in chinese.words
    assert "You are not" not in chinese.words
    assert "<form" not in page.text
    posted = site.phone().answer(f"/a/{office.link(request)}", digest=request.request.digest)
    assert posted.status == 403, "that page has no form"


def test_a_groups_link_answers_for_nobody_by_name(site: Any, office: Any) -> None:
    request = office.ask()
    ((token, _),) = office.links(request)
    page = site.phone().get(f"/a/{token}")
    assert "You answer as somebody by chat" in page.words
    assert site.phone().answer(f"/a/{token}").status == 200
    assert office.store.approval(request.request.id).decided_by == "somebody by chat"
    named = office.ask(approvers=["ann"])
    ((token, _),) = office.links(named)
    assert "You are not one of the approvers" in site.phone().get(f"/a/{token}").words


@pytest.mark.parametrize("name", ["ann", "ann@example.org", "Ann@Example.org"])
def test_a_name_keeps_its_letters_wherever_it_stands(site: Any, office: Any, name: str) -> None:
    other = name.swapcase()[:1] + name[1:]
    stranger, voter = (
        office.ask(approvers=["bob"]),
        office.ask(approvers=[name, "bob", "carol"], required=2, any_reject=False),
    )
    site.phone().answer(f"/a/{office.link(voter, name)}", "reject")
    refused = site.phone().answer(f"/a/{office.link(voter, name)}")
    assert refused.status == 409
    told = [site.phone().get(f"/a/{office.link(stranger, name)}"), refused]
    assert all(name in page.words and other not in page.words for page in told)


def test_an_answer_after_its_time_does_not_count(site: Any, office: Any) -> None:
    request = office.ask(timeout="10m", on_timeout="reject")
    path, phone = f"/a/{office.link(request)}", site.phone()
    form = phone.get(path)
    assert "10 min" in form.words
    office.clock.advance(600)
    page = phone.post(path, {**form.fields, "decision": "approve"})
    assert page.status == 409
    assert "its time is over" in page.words
    assert "<form" not in page.text
    assert office.typed == []


# --------------------------------------------------------------------------------- codes


def test_high_risk_wants_the_code(site: Any, office: Any) -> None:
    request = office.ask(risk="high")
    ((token, code),) = office.links(request, "ann")
    phone = site.phone()
    assert code not in phone.get(f"/a/{token}").text
    page = phone.answer(f"/a/{token}", code="", comment="kept")
    assert page.status == 409
    assert "The code is wrong" in page.words
    assert "kept" in page.text
    assert office.typed == []
    assert phone.answer(f"/a/{token}", code=f"{code[:3]} {code[3:]}").status == 200
    assert office.typed == ["make deploy"]


def test_a_wrong_code_is_wrong_also_for_somebody_who_has_said_so_already(site: Any, office: Any) -> None:
    request = office.ask(risk="high", required=2)
    member = site.logged_in("ann")
    member.answer(f"{member.home}r/{request.request.id}")
    ((token, code),) = office.links(request, "ann")
    wrong = "000000" if code != "000000" else "000001"
    assert site.phone().answer(f"/a/{token}", code=wrong).status == 409


def test_five_wrong_codes_end_the_link(site: Any, office: Any) -> None:
    request = office.ask(risk="high")
    ((token, code),) = office.links(request, "ann")
    wrong = "000000" if code != "000000" else "000001"
    phone = site.phone()
    assert [phone.answer(f"/a/{token}", code=wrong).status for _ in range(5)] == [409, 409, 409, 409, 403]
    page = phone.answer(f"/a/{token}", code=code)
    assert page.status == 403
    assert phone.get(f"/a/{token}").status == 403
    assert office.typed == []
    assert status(office, request) == "pending"


# ------------------------------------------------------------------- links that are over


def test_a_link_that_is_too_old_offers_a_fresh_one(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    form = phone.get(path).fields
    office.clock.advance(3600)
    page = phone.get(path)
    assert page.status == 410
    assert "Send a fresh link" in page.words
    assert phone.post(path, {**form, "decision": "approve"}).status == 410
    assert office.resent == []
    assert site.phone().post(f"{path}/renew", page.fields).status == 403
    assert phone.post(f"{path}/renew", form).status == 403, "the seal of the answer is not that of the renewal"
    assert office.resent == []
    sent = phone.post(f"{path}/renew", page.fields)
    assert sent.status == 200
    assert "A fresh link is on its way by chat" in sent.words
    assert office.resent == [(request.request.id, "chat")]
    assert office.typed == []


def test_a_fresh_link_is_not_sent_for_what_is_decided(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    site.phone().answer(f"/a/{office.link(request, 'bob')}")
    office.clock.advance(3600)
    page = phone.get(path)
    assert "nothing to send" in phone.post(f"{path}/renew", page.fields).words.lower()
    assert office.resent == []


def test_a_revoked_link_opens_nothing(site: Any, office: Any) -> None:
    request = office.ask()
    path, phone = f"/a/{office.link(request)}", site.phone()
    form = phone.get(path).fields
    with office.store.transaction() as tx:
        tx.revoke_links(approval_id=request.request.id)
    assert phone.get(path).status == 403
    page = phone.post(path, {**form, "decision": "approve"})
    assert page.status == 403
    assert "revoked" in page.words
    assert office.typed == []


def test_a_used_link_shows_what_became_of_it(site: Any, office: Any) -> None:
    request = office.ask(required=2)
    path = f"/a/{office.link(request)}"
    site.phone().answer(path)
    page = site.phone().get(path)
    assert page.status == 200
    assert "This link has been used" in page.words
    assert "<form" not in page.text


# -------------------------------------------------------------------------------- texts


def test_a_comment_is_cut_at_a_thousand_characters(site: Any, office: Any) -> None:
    request = office.ask()
    site.phone().answer(f"/a/{office.link(request)}", "reject", comment="字" * 1000)
    assert office.store.approval(request.request.id).comment[:990] == "字" * 990


def test_a_comment_of_a_megabyte_is_refused(site: Any, office: Any) -> None:
    request = office.ask()
    page = site.phone().answer(f"/a/{office.link(request)}", comment="x" * 1_000_000)
    assert page.status == 413
    assert status(office, request) == "pending"
