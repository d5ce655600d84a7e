"""Of ten thousand tokens that are not ours, none is believed; those of any of our keys are."""

from __future__ import annotations

import base64
import hashlib
import random
import string
from typing import Any

import pytest
from itsdangerous import Signer, URLSafeSerializer, URLSafeTimedSerializer

from tmux_sentry.approvals import tokens
from tmux_sentry.approvals.tokens import PREFIXES, Tokens
from tmux_sentry.security.redact import Redactor

KEY = "k" * 32
OURS = Tokens([KEY])


def test_a_token_comes_back_as_what_it_is_and_has_a_number_that_nobody_can_guess() -> None:
    made = [OURS.make(kind, 1000.9) for kind in PREFIXES]
    for text, token in made:
        assert OURS.read(text) == token
        assert token.expires == 1000.0
        assert len(token.number) == 32
        assert token.number not in token.hash
    assert len({token.number for _, token in made}) == len(made)
    assert all(len(text) <= tokens.LONGEST for text, _ in made)


def test_the_newest_key_signs_and_every_key_is_believed() -> None:
    text, token = Tokens(["old" * 12]).make("link", 9.0)
    both = Tokens(["new" * 12, "old" * 12])
    assert both.read(text) == token
    assert Tokens(["old" * 12]).read(both.make("link", 9.0)[0]) is None
    assert Tokens(["new" * 12]).read(both.make("link", 9.0)[0]) is not None
    assert both.is_code(token, Tokens(["old" * 12]).code(token))


def test_without_a_key_there_is_no_token() -> None:
    assert not Tokens([])
    assert Tokens([]).read(OURS.make("link", 9.0)[0]) is None
    with pytest.raises(ValueError, match="no secret"):
        Tokens([]).make("link", 9.0)


def test_a_code_is_six_digits_of_this_token_alone() -> None:
    (_, one), (_, other) = OURS.make("link", 9.0), OURS.make("link", 9.0)
    code = OURS.code(one)
    assert len(code) == 6
    assert code.isdigit()
    assert OURS.is_code(one, code)
    assert OURS.is_code(one, f" {code[:3]} {code[3:]}\n")
    for wrong in ("", code[:5], code + "0", "x" * 10_000, "\udcff", OURS.code(other)[::-1] + "1"):
        assert not OURS.is_code(one, wrong)
    assert not Tokens(["z" * 32]).is_code(one, code)


def test_the_signature_is_sha256_by_hmac_and_not_what_itsdangerous_does_by_default() -> None:
    text, token = OURS.make("link", 9.0)
    payload = [token.number, 9]
    by_default = URLSafeSerializer(KEY, salt=f"{tokens.SALT} link").dumps(payload)
    assert OURS.read(PREFIXES["link"] + str(by_default)) is None
    signature = base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")
    assert len(signature) == hashlib.sha256().digest_size


def test_a_token_in_a_text_that_leaves_is_taken_out() -> None:
    text, _ = OURS.make("link", 1.8e9)
    assert text not in Redactor([])(f"POST https://x/a/{text} failed")


def strangers(count: int) -> list[str]:
    """Tampered, foreign, truncated and made up, from a fixed seed."""
    chance = random.Random(8)
    alphabet = string.ascii_letters + string.digits + "-_."
    found: list[str] = []
    while len(found) < count:
        kind = chance.choice(list(PREFIXES))
        text, token = OURS.make(kind, chance.randrange(10**9))
        place = chance.randrange(4, len(text))
        found += [
            text[:place] + chance.choice(alphabet.replace(text[place], "")) + text[place + 1 :],
            text[:place],
            text + chance.choice(alphabet),
            PREFIXES[chance.choice([other for other in PREFIXES if other != kind])] + text[4:],
            text[4:],
            Tokens([chance.choice(alphabet.replace("k", "")) * 32]).make(kind, token.expires)[0],
            PREFIXES[kind] + "".join(chance.choices(alphabet, k=chance.randrange(0, 120))),
            PREFIXES[kind] + str(URLSafeTimedSerializer(KEY).dumps([token.number, 9])),
            PREFIXES[kind] + Signer(KEY, salt=f"{tokens.SALT} {kind}").sign(token.number).decode(),
            chance.choice(["", "tsa_", ".", "tsa_.", "tsa_" + "A" * 5000, "tsa_\u4e2d", "tsa_\x00", "tsa_%2e"]),
        ]
    return found


@pytest.mark.parametrize("shape", [[1], ["x"], {"a": 1}, ["n", "soon"], ["n", 1, 2], [7, 7], None, "n", ["n", 1.5]])
def test_a_payload_of_another_shape_is_no_token(shape: Any) -> None:
    signer = OURS._signer("link")
    assert OURS.read(PREFIXES["link"] + str(signer.dumps(shape))) is None


def test_a_token_has_one_spelling() -> None:
    """Of the last character of base64 some bits mean nothing."""
    text, _ = OURS.make("link", 9.0)
    spellings = [text[:-1] + one for one in string.ascii_letters + string.digits + "-_"]
    assert [one for one in spellings if OURS.read(one) is not None] == [text]


def test_of_ten_thousand_strangers_none_is_believed() -> None:
    believed = [text for text in strangers(10_000) if OURS.read(text) is not None]
    assert believed == []
