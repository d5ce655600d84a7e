"""What a Signal is worth: only a MAC over the very bytes, with a number that rises, makes it more than printed."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry import smart_wrapper
from tmux_sentry.contracts import Emitted, Lines, Observation, PaneIdentity, Signal, SignalKind, Signature, Trust
from tmux_sentry.security.trust import PaneKeys

PANE = PaneIdentity(host="h", server_pid=1, server_start=2, pane_id="%3", pane_pid=4)
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
BODY = '{"type":"STATUS","ok":true}'
LINE = Lines(pane=PANE, at=0.0, lines=("x",))


class Room:
    def __init__(self, kept: dict[str, str] | None = None) -> None:
        self.kept = kept if kept is not None else {}
        self.keys = PaneKeys(self.kept.get, self._save)

    def _save(self, pane: str, text: str | None) -> None:
        if text is None:
            self.kept.pop(pane, None)
        else:
            self.kept[pane] = text

    def with_key(self, key: str = KEY) -> Room:
        self.keys.judge(handed_over(f"KEY {key}"), ())
        return self

    def trust(self, observation: Observation, signal: Signal, *, take: bool = True) -> Trust | None:
        told = self.keys.judge(observation, (signal,))
        if take:
            self.keys.taken(observation)
        return told[0].trust if told else None


def handed_over(text: str = BODY) -> Emitted:
    return Emitted(pane=PANE, at=0.0, text=text, entry="e")


def signal(trust: Trust = Trust.PRINTED, signature: Signature | None = None) -> Signal:
    return Signal(
        kind=SignalKind.STATUS,
        parser="p",
        trust=trust,
        confidence=1.0,
        digest="d",
        at=0.0,
        ok=True,
        event_type="STATUS",
        signature=signature,
    )


def signed(seq: int, body: str = BODY, key: str = KEY) -> Signal:
    mac, number, text = smart_wrapper.sign(key, seq, body).split(" ", 2)
    return signal(signature=Signature(mac=mac, seq=number, body=text.encode()))


def test_a_signed_line_is_worth_more_than_a_printed_one() -> None:
    room = Room().with_key()
    assert room.trust(LINE, signed(1)) is Trust.SIGNED
    assert room.trust(LINE, signal()) is Trust.PRINTED
    assert room.trust(handed_over(), signed(1)) is Trust.EMITTED


@pytest.mark.parametrize("claim", [Trust.SIGNED, Trust.EMITTED])
def test_a_parser_cannot_claim_what_it_does_not_know(claim: Trust) -> None:
    assert Room().trust(LINE, signal(claim)) is Trust.PRINTED
    assert Room().with_key().trust(LINE, signal(claim)) is Trust.PRINTED
    assert Room().trust(handed_over(), signal(Trust.EMITTED)) is Trust.EMITTED
    assert Room().trust(handed_over(), signal(Trust.GUESSED)) is Trust.GUESSED


def test_in_a_pane_that_has_a_key_nobody_hands_over_without_it() -> None:
    """Any process on the tmux socket can speak in any pane's name."""
    assert Room().with_key().trust(handed_over(), signal(Trust.EMITTED)) is Trust.GUESSED


def test_without_a_key_a_signature_proves_nothing() -> None:
    assert Room().trust(LINE, signed(1)) is Trust.PRINTED


@pytest.mark.parametrize(
    "forged",
    [
        signed(1, key=base64.urlsafe_b64encode(b"x" * 32).decode()),
        replace(signed(1), signature=Signature(mac="0" * 64, seq="1", body=BODY.encode())),
        replace(signed(1), signature=replace(signed(1).signature or Signature(mac="", seq="", body=b""), seq="2")),
        replace(signed(1), signature=replace(signed(1).signature or Signature(mac="", seq="", body=b""), body=b"{}")),
        replace(signed(1), signature=Signature(mac="\ud800" * 64, seq="1", body=b"")),
        replace(signed(1), signature=Signature(mac="é" * 64, seq="1", body=b"")),
    ],
)
def test_what_the_key_has_not_signed_is_dropped(forged: Signal) -> None:
    assert Room().with_key().trust(LINE, forged) is None


@given(
    seq=st.text(max_size=6), mac=st.text(alphabet="0123456789abcdefABCDEF +-", max_size=66), body=st.binary(max_size=40)
)
def test_no_mutation_is_accepted(seq: str, mac: str, body: bytes) -> None:
    good = signed(7).signature
    assert good is not None
    for one in (
        Signature(mac=good.mac, seq=seq, body=good.body),
        Signature(mac=mac, seq=good.seq, body=good.body),
        Signature(mac=good.mac, seq=good.seq, body=body),
    ):
        if one != good:
            assert Room().with_key().trust(LINE, signal(signature=one)) is None


def test_a_number_counts_once_and_must_rise() -> None:
    room = Room().with_key()
    assert room.trust(LINE, signed(5)) is Trust.SIGNED
    assert room.trust(LINE, signed(5)) is None
    assert room.trust(LINE, signed(4)) is None
    assert room.trust(LINE, signed(6)) is Trust.SIGNED
    # What is printed and what is handed over come by different ways, and overtake each other.
    assert room.trust(handed_over(), signed(3)) is Trust.EMITTED


def test_what_was_not_taken_in_counts_when_it_comes_again() -> None:
    kept: dict[str, str] = {}
    assert Room(kept).with_key().trust(handed_over(), signed(1), take=False) is Trust.EMITTED
    again = Room(kept)  # killed before it was taken in
    assert again.trust(handed_over(), signed(1)) is Trust.EMITTED
    assert Room(kept).trust(handed_over(), signed(1)) is None


def test_one_that_waits_takes_no_number_of_those_behind_it() -> None:
    """The pane of the first is being asked about; the second is judged, held, and judged again."""
    room = Room().with_key()
    first, second = handed_over("1"), handed_over("2")
    assert room.keys.judge(first, (signed(5),))
    assert room.keys.judge(second, (signed(6),))
    room.keys.taken(first)
    assert room.keys.judge(second, (signed(6),))
    room.keys.taken(second)
    assert not room.keys.judge(handed_over("3"), (signed(6),))


def test_an_event_without_a_name_gets_one_from_its_number() -> None:
    [one] = Room().with_key().keys.judge(LINE, (signed(9),))
    assert one.event_id == "seq 9"
    [own] = Room().with_key().keys.judge(LINE, (replace(signed(9), event_id="mine"),))
    assert own.event_id == "mine"


def test_the_first_key_counts_and_outlives_a_restart() -> None:
    room = Room().with_key().with_key(base64.urlsafe_b64encode(b"y" * 32).decode())
    assert room.trust(LINE, signed(1)) is Trust.SIGNED
    assert Room(room.kept).trust(LINE, signed(2)) is Trust.SIGNED
    room.keys.forget(PANE)
    assert room.kept == {}
    assert room.trust(LINE, signed(3)) is Trust.PRINTED


def test_the_keys_of_panes_that_are_gone_are_forgotten() -> None:
    room = Room().with_key()
    room.keys.keep(list(room.kept), [PANE.key])
    assert list(room.kept) == [PANE.key]
    room.keys.keep(list(room.kept), [])
    assert room.kept == {}
    assert room.trust(LINE, signed(1)) is Trust.PRINTED


@pytest.mark.parametrize("text", ["KEY", "KEY x", f"KEY {KEY} more", f" KEY {KEY}", "KEY " + "\ud800" * 43])
def test_what_is_no_key_is_none(text: str) -> None:
    room = Room()
    room.keys.judge(handed_over(text), ())
    assert room.kept == {}


def test_printed_text_is_never_a_key() -> None:
    room = Room()
    room.keys.judge(Lines(pane=PANE, at=0.0, lines=(f"KEY {KEY}",)), ())
    assert room.kept == {}
