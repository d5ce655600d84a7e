"""No configured secret leaves, in whatever form a log, a URL, JSON or a header gives it."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from urllib.parse import quote, quote_plus

import pytest

from tmux_sentry.security.redact import Redactor

SECRET = 'p@ss w/rd+"\u00e9\\9?'
FORMS = {
    "plain": lambda s: s,
    "inside a word": lambda s: f"x{s}y",
    "URL": lambda s: f"https://h/?key={quote(s, safe='')}&a=1",
    "URL path": lambda s: f"https://h/{quote(s)}",
    "form": lambda s: f"key={quote_plus(s)}",
    "URL, small letters": lambda s: re.sub("%..", lambda code: code.group().lower(), quote(s, safe="")),
    "JSON": lambda s: json.dumps({"key": s}),
    "JSON in UTF-8": lambda s: json.dumps({"key": s}, ensure_ascii=False),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_redacted_in_every_form(form):
    before = FORMS[form](SECRET)
    after = Redactor([SECRET])(f"a {before} b")
    assert "[redacted]" in after
    assert before not in after
    assert after.startswith("a ")
    assert after.endswith(" b")


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user:"])
def test_a_secret_in_a_basic_header_is_redacted_wherever_it_starts(user):
    header = base64.b64encode(f"{user}hunter2-hunter2:x".encode()).decode()
    assert "[redacted]" in Redactor(["hunter2-hunter2"])(f"Authorization: Basic {header}")
    left = Redactor(["hunter2-hunter2"])(header).replace("[redacted]", "=" * 8)
    assert b"unter" not in base64.b64decode(left + "==", validate=False)


def test_a_secret_in_a_web_token_is_redacted_too():
    token = base64.urlsafe_b64encode(b"u:\xc3\xbf>>>???~~~:x").decode()
    assert set("-_") & set(token)
    assert "[redacted]" in Redactor(["\u00ff>>>???~~~"])(token)


def test_a_secret_that_contains_another_goes_whole():
    assert Redactor(["token-abc", "token-abcdef"])("token-abcdef token-abc") == "[redacted] [redacted]"


def test_a_key_of_several_lines_goes_also_when_its_lines_were_joined_or_indented():
    key = "-----BEGIN KEY-----\nMIIabcdefgh\nqrstuvwxyz\n-----END KEY-----\n"
    redact = Redactor([key])
    for text in (key, key.replace("\n", " "), key.replace("\n", "\n    "), json.dumps(key), "only MIIabcdefgh"):
        assert "MIIabcdefgh" not in redact(text)
        assert "qrstuvwxyz" not in redact(text)


def test_short_values_do_not_black_out_ordinary_words():
    assert Redactor(["on", "8080", ""])("on port 8080") == "on port 8080"


def test_without_secrets_nothing_changes():
    assert Redactor()("a.*b") == "a.*b"


def test_a_secret_is_text_and_not_a_pattern():
    assert Redactor(["a.*b(c"])("aXXb(c a.*b(c") == "aXXb(c [redacted]"


@pytest.mark.parametrize("secret", ["abc\udcffdef", "\ud800abcdefg"])
def test_an_environment_value_that_is_not_utf8_is_redacted_too(secret):
    assert Redactor([secret])(f"<{secret}>") == "<[redacted]>"


def test_two_hundred_planted_secrets_leak_nowhere():
    rng = random.Random(7)
    alphabet = string.ascii_letters + string.digits + "+/=_-.%&\u00e9"
    secrets = ["".join(rng.choices(alphabet, k=rng.randrange(6, 60))) for _ in range(200)]
    redact = Redactor(secrets)
    for secret in secrets:
        for form in FORMS.values():
            assert secret not in redact(form(secret))
            assert form(secret) not in redact(form(secret))


def test_secrets_can_be_learnt_later_and_the_first_ones_stay():
    redact = Redactor(["first-secret"])
    assert redact("first-secret second-secret") == "[redacted] second-secret"
    redact.learn(["second-secret"])
    assert redact("first-secret second-secret") == "[redacted] [redacted]"
