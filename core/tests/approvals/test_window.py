"""What a token opens, and what not: links, codes, logins, sessions, over a real database and the real conductor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry.approvals.by_hand import LinkOrders
from tmux_sentry.approvals.links import Links
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.approvals.window import FRESH, LOGIN, SESSION, SKEW, WRONG_CODES, Ports, Window
from tmux_sentry.contracts import Level, LinkRefused, Message, PaneIdentity
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.events import Ask, Order, Send
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import UsageError
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.security.redact import Redactor
from tmux_sentry.state.records import RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

KEY = "k" * 32
PANE = PaneIdentity(host="nas", server_pid=100, server_start=1_795_000_000, pane_id="%3", pane_pid=4242)
NAMES = RunNames(session_name="work", window_name="w", window_index=0, pane_index=0)
TTL = 3600.0


class Channel:
    """A notifier that knows these recipients."""

    def __init__(self, *recipients: str) -> None:
        self._recipients = recipients

    def recipients(self) -> tuple[str, ...]:
        return self._recipients

    def send(self, message: Message) -> Any:
        raise NotImplementedError


class Group:
    """A notifier that does not know who reads it."""

    def send(self, message: Message) -> Any:
        raise NotImplementedError


@dataclass
class Room:
    store: Store
    clock: FakeClock
    conductor: Conductor
    window: Window
    links: Links
    tokens: Tokens
    out: list[Step]
    again: list[str]

    def ask(self, run_id: str = "r1", keys: str = "make deploy", **approval: Any) -> str:
        """A Run that asks; the id of its request."""
        stage = {"name": "a", "require_approval": approval or True, "actions_on_start": [{"send_keys": keys}]}
        built = build_pipeline({"name": "ci", "match": {"window_name": "w"}, "stages": [stage]})
        run = Run(id=run_id, pipeline=built, pane=PANE, pane_name="work:w.0", policy_digest=built.digest)
        self.conductor.add(run, NAMES)
        return self.asked().approval_id

    def asked(self) -> Ask:
        return [e for one in self.out for e in one.effects if isinstance(e, Ask)][-1]

    def sends(self) -> int:
        return sum(isinstance(effect, Send) for one in self.out for effect in one.effects)

    def dressed(self, request_id: str, notifier: Any = None, channel: str = "slack") -> Message:
        message = Message(
            id="m", at=0.0, level=Level.APPROVAL, event="approval.asked", title="t", fields={"approval": request_id},
            answer="tmux-sentry approve x",
        )  # fmt: skip
        return self.links.dress(message, channel, notifier or Group())

    def link(self, request_id: str, channel: str = "slack") -> str:
        """The token of a group's link."""
        return token_of(self.dressed(request_id, channel=channel).answer)

    def digest(self, request_id: str) -> str:
        stored = self.store.approval(request_id)
        assert stored is not None
        return stored.request.digest

    def status(self, request_id: str) -> str:
        stored = self.store.approval(request_id)
        assert stored is not None
        return stored.status


def token_of(text: str) -> str:
    return text.splitlines()[0].rpartition("/")[2]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    clock, out, again = FakeClock(1000.0), [], []  # type: ignore[var-annotated]
    redact, lock = Redactor(["hunter2hunter2"]), threading.Lock()
    with Store.open(tmp_path / "state.db", clock) as store:
        herald = Herald(router=Router(defaults=Defaults(channels=("slack",), local=())), redact=redact)
        conductor = Conductor(store, clock, herald, out.append)

        def on_loop(what: Callable[[], object]) -> object:
            with lock:  # the loop does one thing after the other
                return what()

        ports = Ports(
            store=store,
            clock=clock,
            on_loop=on_loop,
            decide=conductor.decide,
            screen=lambda pane: ["$ make deploy\x1b[2J", "token hunter2hunter2"],
            resend=lambda stored, channel: again.append(f"{stored.request.id} {channel}"),
            redact=redact,
        )
        tokens = Tokens([KEY])
        links = Links(store=store, clock=clock, tokens=tokens, address=lambda token: f"https://x/a/{token}", ttl=TTL)
        yield Room(store, clock, conductor, Window(ports, tokens), links, tokens, out, again)


def dump(store: Store) -> list[Any]:
    """Every row of every table."""
    with store._database.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        return [(name, connection.exec_driver_sql(f"SELECT * FROM {name}").all()) for name in sorted(names)]


# --------------------------------------------------------------------------- looking


def test_a_link_shows_exactly_what_will_be_typed_and_changes_nothing(room: Room) -> None:
    request_id = room.ask(keys="make 'deploy'\t&& rm x", reason="the release", approvers=["ann"], required=1)
    token = token_of(room.dressed(request_id, Channel("ann", "bob")).links["ann"])
    before = dump(room.store)
    view = room.window.look(token)
    assert dump(room.store) == before
    assert view.request.keys == ("make 'deploy'\t&& rm x<Enter>",)
    assert (view.request.reason, view.request.pane_name, view.you) == ("the release", "work:w.0", "ann")
    assert view.screen == ("$ make deploy", "token [redacted]")
    assert (view.status, view.closed, view.until, view.code_needed) == ("pending", "", None, False)
    assert room.window.look(token, request_id) == view
    elsewhere = Window(replace(room.window._ports, zone="Europe/Berlin"), room.tokens)
    assert (view.zone, elsewhere.look(token).zone) == ("", "Europe/Berlin")


def test_who_is_no_approver_is_told_so_before_they_press_anything(room: Room) -> None:
    """No message brings them a link; a session shows them the same."""
    request_id = room.ask(approvers=["ann"])
    stored = room.store.approval(request_id)
    assert stored is not None
    bob, group = (token_of(room.links.line(stored, "slack", who)) for who in ("bob", ""))
    view = room.window.look(bob)
    assert (view.closed, view.stranger) == ("bob is not one of the approvers", True)
    assert not room.window.look(token_of(room.links.line(stored, "slack", "ann"))).stranger
    answer = room.window.vote(bob, approved=True, digest=room.digest(request_id))
    assert not answer.counted
    assert room.status(request_id) == "pending"
    assert not room.window.vote(group, approved=True, digest=room.digest(request_id)).counted


# -------------------------------------------------------------------------- answering


@pytest.mark.parametrize("approved", [True, False])
def test_an_answer_by_a_link_decides_and_is_written_down_with_how_it_is_known(room: Room, approved: bool) -> None:
    request_id = room.ask()
    token = token_of(
        room.dressed(request_id, Channel("ann@example.com", "bob@example.com"), "email").links["ann@example.com"]
    )
    answer = room.window.vote(token, approved=approved, digest=room.digest(request_id), comment="x" * 5000 + "\x1b[2J")
    assert (answer.counted, answer.status) == (True, "approved" if approved else "rejected")
    (vote,) = room.store.votes(request_id)
    assert (vote.by, vote.known, vote.channel) == ("ann@example.com", "link sent by email to ann@example.com", "web")
    assert len(vote.comment) <= 1000
    assert room.sends() == (1 if approved else 0)


def test_a_link_answers_once_and_for_its_own_request_only(room: Room) -> None:
    first = room.ask(required=2)
    token, digest = room.link(first), room.digest(first)
    assert room.window.vote(token, approved=True, digest=digest).words.startswith("noted: 1 of 2")
    assert room.window.vote(token, approved=False, digest=digest).words == "this link has been used"
    assert len(room.store.votes(first)) == 1
    assert room.window.look(token).closed == "this link has been used"
    with pytest.raises(LinkRefused, match="another request"):
        room.window.look(token, "0123456789")
    with pytest.raises(LinkRefused, match="another request"):
        room.window.vote(token, approved=True, digest=digest, request_id="0123456789")


@pytest.mark.parametrize("other", ["slack", "webhook"])
def test_two_links_that_name_nobody_are_one_voice(room: Room, other: str) -> None:
    request_id = room.ask(required=2)
    one, two = room.link(request_id), room.link(request_id, other)
    assert room.window.vote(one, approved=True, digest=room.digest(request_id)).counted
    assert not room.window.vote(two, approved=True, digest=room.digest(request_id)).counted
    assert room.status(request_id) == "pending"


def test_an_answer_by_a_link_that_another_used_up_in_between_decides_nothing(room: Room) -> None:
    request_id = room.ask(required=2)
    token, digest = room.link(request_id), room.digest(request_id)

    def after_another(what: Callable[[], object]) -> object:
        assert room.window.vote(token, approved=True, digest=digest).counted
        return what()

    slow = Window(replace(room.window._ports, on_loop=after_another), room.tokens)
    assert slow.vote(token, approved=False, digest=digest).words == "this link has been used"
    assert room.status(request_id) == "pending"


@pytest.mark.parametrize("digest", ["", "0" * 64, "none"])
def test_an_answer_to_something_else_than_was_shown_does_not_count(room: Room, digest: str) -> None:
    request_id = room.ask()
    assert not room.window.vote(room.link(request_id), approved=True, digest=digest).counted
    assert (room.status(request_id), room.sends()) == ("pending", 0)


def test_of_a_hundred_answers_by_one_link_exactly_one_counts(room: Room) -> None:
    request_id = room.ask()
    token, digest = room.link(request_id), room.digest(request_id)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(room.window.vote(token, approved=True, digest=digest).counted))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 99 + [True]
    assert room.sends() == 1


# ------------------------------------------------------------------------ risk, codes


def test_a_high_risk_asks_for_the_code_that_stands_beside_the_link(room: Room) -> None:
    request_id = room.ask(risk="high")
    message = room.dressed(request_id)
    url, code, *rest = message.answer.splitlines()
    assert code.startswith("code: ")
    assert code.removeprefix("code: ") not in url
    assert rest == ["tmux-sentry approve x"]
    token, digest = token_of(url), room.digest(request_id)
    assert room.window.look(token).code_needed
    assert "code is wrong" in room.window.vote(token, approved=True, digest=digest).words
    assert room.window.vote(token, approved=True, digest=digest, code=code.removeprefix("code: ")).counted


def test_a_code_cannot_be_guessed_by_trying(room: Room) -> None:
    request_id = room.ask(risk="high")
    url, code = room.dressed(request_id).answer.splitlines()[:2]
    digest, right = room.digest(request_id), code.removeprefix("code: ")
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    said = [room.window.vote(token_of(url), approved=True, digest=digest, code=wrong).words for _ in range(WRONG_CODES)]
    assert "too often" in said[-1]
    with pytest.raises(LinkRefused, match="revoked"):
        room.window.vote(token_of(url), approved=True, digest=digest, code=right)
    assert room.status(request_id) == "pending"


def test_in_a_session_no_code_is_needed(room: Room) -> None:
    request_id = room.ask(risk="high")
    session = room.window.login(room.window.invite("ann"))
    assert not room.window.look(session, request_id).code_needed
    assert room.window.vote(session, approved=True, digest=room.digest(request_id), request_id=request_id).counted


# ---------------------------------------------------------------------- old, revoked


def test_a_link_lives_as_long_as_it_is_set_to_and_the_request_longer(room: Room) -> None:
    request_id = room.ask()
    token = room.link(request_id)
    room.clock.advance(TTL - 1)
    assert room.window.look(token).status == "pending"
    room.clock.advance(1)
    with pytest.raises(LinkRefused, match="too old") as refused:
        room.window.vote(token, approved=True, digest=room.digest(request_id))
    assert refused.value.renewable
    assert room.status(request_id) == "pending"


def test_a_fresh_link_goes_by_the_channel_of_the_old_one_and_not_again_and_again(room: Room) -> None:
    request_id = room.ask()
    token = room.link(request_id, channel="wechat_work")
    room.clock.advance(TTL)
    assert "by wechat_work" in room.window.renew(token)
    assert room.again == [f"{request_id} wechat_work"]
    room.link(request_id, channel="wechat_work")  # which that message brings
    room.clock.advance(0.5)
    again = "a link was sent a moment ago: look at your messages, or try again in 60 s"
    assert room.window.renew(token) == again
    room.clock.advance(FRESH - 1)
    assert room.window.renew(token) == again.replace("60", "1")
    room.clock.advance(0.5)
    room.window.renew(token)
    assert len(room.again) == 2


def test_of_a_link_that_lives_for_less_than_a_minute_no_fresh_one_is_claimed(room: Room) -> None:
    room.links = replace(room.links, ttl=10.0)
    token = room.link(room.ask())
    room.clock.advance(10)
    said = room.window.renew(token)
    assert said == "a link was sent a moment ago: look at your messages, or try again in 50 s"
    assert room.again == []
    room.clock.advance(50)
    assert "on its way" in room.window.renew(token)


def test_a_fresh_link_is_for_who_had_a_genuine_one_and_for_what_is_open(room: Room) -> None:
    request_id = room.ask()
    token = room.link(request_id)
    for bad in ("", "tsa_x", Tokens(["z" * 32]).make("link", 9e9)[0], room.window.invite("ann")):
        with pytest.raises(LinkRefused):
            room.window.renew(bad)
    room.conductor.order("r1", Order(verb="cancel", by="ann"))
    assert room.window.renew(token) == "nothing to send: the request is cancelled"
    assert room.again == []


def test_a_clock_that_has_gone_back_opens_nothing(room: Room) -> None:
    token = room.link(room.ask())
    room.clock.jump(-SKEW)
    assert room.window.look(token).status == "pending"
    room.clock.jump(-1)
    with pytest.raises(LinkRefused, match="gone back"):
        room.window.look(token)


def test_revoked_links_open_nothing(room: Room) -> None:
    request_id = room.ask()
    token, orders = room.link(request_id), LinkOrders(room.store, room.window, room.tokens, lambda token: "u")
    assert orders.revoke(request_id[:4]) == {"id": request_id, "revoked": 1}
    with pytest.raises(LinkRefused, match="revoked"):
        room.window.look(token)
    with pytest.raises(LinkRefused):
        room.window.renew(token)
    session = room.window.login(room.window.invite("ann"))
    orders.revoke(None)
    with pytest.raises(LinkRefused, match="revoked"):
        room.window.pending(session)
    with pytest.raises(UsageError, match="no request"):
        orders.revoke("zz")


def test_a_backend_can_let_all_of_it_open_nothing_and_the_requests_stay(room: Room) -> None:
    request_id = room.ask()
    link, invited = room.link(request_id), room.window.invite("ann")
    session = room.window.login(room.window.invite("ann"))
    assert room.window.revoke() == 4
    calls: list[Callable[[], object]] = [
        lambda: room.window.look(link),
        lambda: room.window.vote(link, approved=True, digest=room.digest(request_id)),
        lambda: room.window.login(invited),
        lambda: room.window.pending(session),
    ]
    for call in calls:
        with pytest.raises(LinkRefused, match="revoked"):
            call()
    assert room.window.look(room.link(request_id)).status == "pending"


def test_a_request_that_is_over_is_shown_as_what_it_became(room: Room) -> None:
    request_id = room.ask()
    token, digest = room.link(request_id), room.digest(request_id)
    room.conductor.order("r1", Order(verb="cancel", by="ann"))
    assert room.window.look(token).closed == "the request is cancelled"
    answer = room.window.vote(token, approved=True, digest=digest)
    assert (answer.counted, answer.status) == (False, "cancelled")
    assert room.sends() == 0


def test_after_its_time_nothing_counts_where_the_policy_says_reject(room: Room) -> None:
    request_id = room.ask(timeout="10m", on_timeout="reject")
    token, digest = room.link(request_id), room.digest(request_id)
    assert room.window.look(token).until == 1600.0
    room.clock.advance(600.0)  # and nothing has looked at the clock yet
    assert room.window.look(token).closed == "its time is over"
    assert not room.window.vote(token, approved=True, digest=digest).counted
    assert room.sends() == 0


def test_an_answer_counts_after_the_time_where_the_policy_says_hold(room: Room) -> None:
    request_id = room.ask(timeout="10m")
    token, digest = room.link(request_id), room.digest(request_id)
    room.clock.advance(601.0)
    room.conductor.due()
    assert room.window.vote(token, approved=True, digest=digest).counted


# ------------------------------------------------------------------ logins, sessions


def test_a_login_link_opens_one_session(room: Room) -> None:
    token = room.window.invite("ann")
    before = dump(room.store)
    assert room.window.who(token) == "ann"
    assert dump(room.store) == before
    session = room.window.login(token)
    assert room.window.who(session) == "ann"
    for again in (lambda: room.window.login(token), lambda: room.window.who(token)):
        with pytest.raises(LinkRefused, match="used"):
            again()


def test_of_twenty_logins_at_once_by_one_link_one_gets_a_session(room: Room) -> None:
    token, count = room.window.invite("ann"), 20
    sessions: list[str] = []
    looked, turn = threading.Barrier(count, timeout=30), threading.Lock()

    def on_loop(what: Callable[[], object]) -> object:
        """Not before everybody has seen the link as a good one."""
        looked.wait()
        with turn:
            return what()

    window = Window(replace(room.window._ports, on_loop=on_loop), room.tokens)

    def log_in() -> None:
        with suppress(LinkRefused):
            sessions.append(window.login(token))

    threads = [threading.Thread(target=log_in) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sessions) == 1


def test_sessions_and_login_links_end(room: Room) -> None:
    late = room.window.invite("ann")
    session = room.window.login(room.window.invite("ann"))
    room.clock.advance(LOGIN)
    with pytest.raises(LinkRefused, match="too old") as refused:
        room.window.login(late)
    assert not refused.value.renewable
    room.clock.advance(SESSION - LOGIN)
    with pytest.raises(LinkRefused, match="too old"):
        room.window.pending(session)
    other = room.window.login(room.window.invite("ann"))
    room.window.logout(other)
    with pytest.raises(LinkRefused, match="revoked"):
        room.window.pending(other)


def test_a_token_opens_only_what_it_is_for(room: Room) -> None:
    request_id = room.ask()
    link, invited = room.link(request_id), room.window.invite("ann")
    session = room.window.login(room.window.invite("ann"))
    wrong: list[Callable[[], object]] = [
        lambda: room.window.pending(link),
        lambda: room.window.login(link),
        lambda: room.window.login(session),
        lambda: room.window.logout(link),
        lambda: room.window.look(invited),
        lambda: room.window.vote(invited, approved=True, digest=room.digest(request_id), request_id=request_id),
        lambda: room.window.who(link),
    ]
    for call in wrong:
        with pytest.raises(LinkRefused, match="not genuine"):
            call()
    with pytest.raises(LinkRefused, match="not here"):
        room.window.look(session)
    assert room.status(request_id) == "pending"


def test_a_genuine_token_of_another_database_is_not_known(room: Room) -> None:
    room.ask()
    foreign, _ = room.tokens.make("link", 9e9)
    with pytest.raises(LinkRefused, match="not known"):
        room.window.look(foreign)


def test_what_waits_is_listed_a_page_at_a_time(room: Room) -> None:
    ids = [room.ask(f"r{number}") for number in range(7)]
    session = room.window.login(room.window.invite("ann"))
    views, total = room.window.pending(session, start=2, count=3)
    assert total == 7
    assert len(views) == 3
    assert {view.request.id for view in views} <= set(ids)
    assert all(view.screen == () for view in views)
    assert room.window.pending(session, start=99)[0] == []
    assert room.window.pending(session, start=-5, count=-1)[0] == []


# ----------------------------------------------------------------------------- links


def test_each_recipient_gets_a_link_of_their_own_and_a_group_gets_one(room: Room) -> None:
    request_id = room.ask()
    message = room.dressed(request_id, Channel("ann", "bob"))
    assert list(message.links) == ["ann", "bob"]
    assert message.links["ann"] != message.links["bob"]
    assert message.answer == "tmux-sentry approve x"
    group = room.dressed(request_id)
    assert group.links == {}
    assert group.answer.splitlines()[0].startswith("https://x/a/tsa_")
    assert group.answer.splitlines()[-1] == "tmux-sentry approve x"


def test_no_stored_row_has_a_token_and_no_message_that_asks_nothing_has_a_link(room: Room) -> None:
    request_id = room.ask()
    token = room.link(request_id)
    assert token not in repr(dump(room.store))
    assert token[4:40] not in repr(dump(room.store))
    told = Message(
        id="m", at=0.0, level=Level.INFO, event="approval.approved", title="t", fields={"approval": request_id}
    )
    for message in (
        told,
        replace(told, level=Level.APPROVAL, fields={}),
        replace(told, level=Level.APPROVAL, fields={"approval": "nothing"}),
    ):
        assert room.links.dress(message, "slack", Group()) is message
    room.window.vote(token, approved=True, digest=room.digest(request_id))
    asked = replace(told, level=Level.APPROVAL)
    assert room.links.dress(asked, "slack", Group()) is asked  # it is decided


def test_without_a_secret_or_a_page_there_is_no_link(room: Room) -> None:
    request_id = room.ask()
    room.links = replace(room.links, tokens=Tokens([]))
    assert room.dressed(request_id).answer == "tmux-sentry approve x"
    room.links = replace(room.links, tokens=room.tokens, address=lambda token: "")
    message = room.dressed(request_id, Channel("ann", "bob"))
    assert (message.answer, dict(message.links)) == ("tmux-sentry approve x", {})
    orders = LinkOrders(room.store, room.window, Tokens([]), lambda token: "u")
    with pytest.raises(UsageError, match="no approval pages"):
        orders.login("ann")
    with pytest.raises(UsageError, match="no approval pages"):
        LinkOrders(room.store, room.window, room.tokens, lambda token: "").login("ann")


def test_a_channel_that_cannot_say_who_reads_it_gets_one_link(room: Room) -> None:
    class Broken(Group):
        def recipients(self) -> list[str]:
            raise RuntimeError("no")

    request_id = room.ask()
    assert "https://x/a/tsa_" in room.dressed(request_id, Broken()).answer
