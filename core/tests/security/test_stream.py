"""Text in pieces loses its secrets too, wherever the pieces end."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.stream import StreamRedactor

SECRET = "hunter2-hunter2"
TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0." + "aB3dE6gH9jK2mN5pQ8sT1"
KEY = "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkq\n" * 8 + "-----END PRIVATE KEY-----"
HOLD = 64


def through(pieces, secrets=(SECRET,), hold=HOLD):
    stream = StreamRedactor(Redactor(secrets), hold)
    return "".join([*(stream.feed(piece) for piece in pieces), stream.close()])


def let_go_at(secret: str, offset: int) -> str:
    """What a stream says of a text in which it lets go right at `offset` of the secret."""
    stream = StreamRedactor(Redactor([SECRET]), HOLD)
    text = "word " * 200 + secret
    text += (" and more" * 100)[: stream.hold - len(secret) + offset]
    return stream.feed(text) + stream.close()


@pytest.mark.parametrize("secret", [SECRET, TOKEN, JWT, f"Authorization: Bearer {TOKEN[4:]}", "https://u:pa55@host/"])
def test_no_offset_lets_a_part_out(secret):
    hidden = secret.rpartition(" ")[2].rpartition(":")[2].partition("@")[0]
    for offset in range(len(secret) + 1):
        out = let_go_at(secret, offset)
        assert "[redacted" in out
        assert not any(hidden[at : at + 4] in out for at in range(0, len(hidden) - 4, 4)), (offset, out[900:])


@pytest.mark.parametrize("size", [1, 2, 7, 63, 64, 65, 1000])
@pytest.mark.parametrize(
    "secret", [SECRET, TOKEN, KEY, f"{SECRET[:7]}\n{SECRET[7:]}", f"{SECRET[:7]}\x1b[1;31m{SECRET[7:]}"]
)
def test_no_size_of_the_pieces_lets_a_part_out(secret, size):
    text = "a word " * 50 + secret + " a word" * 50
    out = through(text[at : at + size] for at in range(0, len(text), size))
    assert out.count("[redacted") == 1
    assert "hunter2" not in out
    assert "aB3dE6" not in out
    assert "MIIE" not in out
    assert out.startswith("a word a word")
    assert out.endswith("a word a word")


@pytest.mark.parametrize("offset", range(1, 61, 2))
def test_a_token_that_goes_on_in_the_next_row_goes_whole_wherever_the_stream_lets_go(offset):
    width, hold = 60, 200
    row = f"{'$ say' * 5} {TOKEN}"
    before = f"{'o' * width}\n" * 5
    screen = f"{before}{row[:width]}\n{row[width:]}\n" + f"{'p' * width}\n" * 9
    stream = StreamRedactor(Redactor(), hold)
    out = stream.feed(screen[: len(before) + offset + hold]) + stream.feed(screen[len(before) + offset + hold :])
    out += stream.close()
    assert "[redacted github-token]" in out
    assert "bC3dE6" not in out


@given(st.lists(st.text(max_size=90), max_size=12))
@settings(max_examples=200, deadline=None)
def test_ordinary_text_comes_out_as_it_went_in(pieces):
    whole = "".join(pieces)
    out = through(pieces, hold=16)
    assert out == whole or len(re.sub(r"[ -~]", "", whole)) > len(whole) / 2  # more that is not seen than is seen


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_any_pieces_give_what_the_whole_gives(seed):
    rng = random.Random(seed)
    words = [SECRET, TOKEN, JWT, "word", "sk-", "eyJ", "\n", "\x1b[31m", "https://", "构建", "-----BEGIN "]
    text = " ".join(rng.choices(words, k=200))
    pieces, at = [], 0
    while at < len(text):
        size = rng.choice([1, 3, 20, 200])
        pieces.append(text[at : at + size])
        at += size
    out = through(pieces)
    assert out == Redactor([SECRET])(text)


def test_a_token_longer_than_the_hold_is_left_out_and_not_kept():
    for token in (
        "sk-" + "ant-" + "aB3-" * 5_000,
        "eyJ" + "aB3d" * 5_000 + ".eyJ" + "aB3d" * 5_000 + ".sig",
        "ftp://u:" + "aB3d" * 5_000,
    ):
        stream = StreamRedactor(Redactor(), HOLD)
        text = f"before {token} after"
        out = ""
        for at in range(0, len(text), 50):
            out += stream.feed(text[at : at + 50])
            assert len(stream._held) <= 8 * HOLD + 50
        out += stream.close()
        assert "aB3" not in out.replace("[redacted", ""), out[:200]
        assert out.startswith("before ")
        assert out.endswith(" after")
        assert out.count("[redacted") == 1


def test_a_key_longer_than_the_hold_is_left_out_from_begin_to_end():
    key = KEY.replace("-----END", "MIIEvQIBADANBgkq\n" * 100 + "-----END")
    for size in (1, 13, 500):
        text = f"before\n{key}\nafter " + "more " * 100
        out = through(text[at : at + size] for at in range(0, len(text), size))
        assert out == "before\n[redacted private-key]\nafter " + "more " * 100


def test_a_key_that_never_ends_lets_nothing_out():
    out = through(["before -----BEGIN " + "PRIVATE KEY-----\n", *["MIIEvQIBADANBgkq\n"] * 500])
    assert out == "before [redacted private-key]"


def test_a_secret_full_of_what_is_not_seen_is_not_let_out_in_parts():
    out = through(["x ", *("\u200b" * 300 + char for char in SECRET), " y"])
    assert re.sub("[^a-z0-9]", "", out.replace("[redacted]", "")) == "xy"


def test_closing_twice_says_nothing_more():
    stream = StreamRedactor(Redactor([SECRET]))
    assert stream.feed(f"a {SECRET[:5]}") == ""
    assert stream.feed(SECRET[5:]) == ""
    assert stream.close() == "a [redacted]"
    assert stream.close() == ""
