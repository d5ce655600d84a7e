"""No configured secret leaves, in whatever form a log, a URL, JSON or a header gives it."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
import string
import threading
import time
from urllib.parse import quote, quote_plus

import pytest

from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean, clean_block, visible

SECRET = "p@ss w/rd+\"\u00e9\\9?<&'"
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
    "hex": lambda s: s.encode().hex(),
    "hex, capitals": lambda s: s.encode().hex().upper(),
    "HTML": lambda s: html.escape(s),
    "HTML, numbers": lambda s: html.escape(s).replace("&#x27;", "&#39;"),
    "a shell's word": lambda s: shlex.quote(s),
    "printf %q": lambda s: re.sub(r"([^\w@%+=:,./-])", r"\\\1", s),
    "repr": lambda s: repr(s),
    "JSON in JSON": lambda s: json.dumps(json.dumps({"key": s})),
    "JSON of PHP": lambda s: json.dumps(s).replace("/", r"\/"),
    "JSON of Go": lambda s: json.dumps(s).replace("<", r"\u003c").replace("&", r"\u0026"),
    "URL in a URL": lambda s: quote(f"https://h/?key={quote(s, safe='')}", safe=""),
    "base64 in a URL": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
    "as it is shown to be typed": lambda s: visible(s),
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


# -------------------------------------------------------------- what is not seen, and what is torn

LONG = "hunter2-hunter2-hunter2"
DISGUISES = {
    "zero width": "hunter2-\u200bhunter2-\u2060hunter2",
    "soft hyphen": "hunter2\u00ad-hunter2-hunter2",
    "a colour": "hunter2-\x1b[1;31mhunter2\x1b[0m-hunter2",
    "a title": "hunter2-\x1b]0;x\x07hunter2-hunter2",
    "inside a title": "\x1b]0;hunter2-hunter2-hunter2\x07",
    "bidi": "hunter2-\u202ehunter2-hunter2",
    "a NUL": "hunter2-\0hunter2-hunter2",
    "what the sanitiser left": clean("hunter2-\u200bhunter2-hunter2"),
    "every character apart": "\u200b".join(LONG),
    "wrapped by a narrow pane": "hunter2-hun\nter2-hunter2",
    "wrapped twice": "hunter2-\nhunter2-\nhunter2",
    "wrapped inside a box": "hunter2-hun  │\n│  ter2-hunter2",
    "wrapped, then made one line": clean("hunter2-hun\nter2-hunter2"),
    "cut by the sanitiser": clean("x" * 30 + LONG, 45),
}  # fmt: skip


@pytest.mark.parametrize("case", DISGUISES)
def test_a_disguised_secret_goes_whole(case):
    after = Redactor([LONG])(f"a {DISGUISES[case]} b")
    assert "[redacted]" in after
    assert "hun" not in after
    assert "ter2" not in after


@pytest.mark.parametrize("sanitise", [clean, clean_block])
def test_the_order_of_the_outlet_lets_no_half_out_at_any_limit(sanitise):
    redact = Redactor([LONG])
    for limit in range(1, 60):
        out = sanitise(redact(f"some words {LONG} more"), limit)
        assert "hunter" not in out


def test_a_secret_of_invisible_characters_too_is_found_as_it_is_and_as_it_is_seen():
    secret = "pass\u200bword-with-it"
    assert Redactor([secret])(f"<{secret}> <{secret.replace(chr(0x200B), '')}>") == "<[redacted]> <[redacted]>"


def test_short_secrets_are_not_looked_for_over_spaces():
    assert Redactor(["toolate"])("too late") == "too late"


def test_secrets_that_overlap_both_go():
    assert Redactor(["abcdefgh", "efghijkl"])("-abcdefghijkl-") == "-[redacted]-"


# ------------------------------------------------------------------------------------------ tokens

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6"


def test_a_token_that_nobody_configured_goes_and_the_mark_says_what_it_was():
    assert Redactor()(f"x {TOKEN} y") == "x [redacted github-token] y"
    assert Redactor()("https://me:pa55@h/ ok") == "https://me:[redacted url-password]@h/ ok"


@pytest.mark.parametrize(
    "shown",
    [
        f"ok\x1b[32m{TOKEN}\x1b[0m",
        f"ok\u200b{TOKEN}",
        *(f"{TOKEN[:9]}{seam}{TOKEN[9:]}" for seam in ("\x1b[1m", "\u200b")),
    ],
)
def test_a_token_is_seen_through_colours_and_invisible_characters(shown):
    after = Redactor()(shown)
    assert "[redacted github-token]" in after
    assert "aB3" not in after
    assert "gH9" not in after


def test_a_token_that_a_pane_wraps_goes_whole_and_the_next_row_stays():
    width = 40
    rows = [f"$ export TOKEN={TOKEN}"[:width].ljust(width), f"$ export TOKEN={TOKEN}"[width:], "$ next command"]
    assert Redactor()("\n".join(rows)) == "$ export TOKEN=[redacted github-token]\n$ next command"


def test_a_configured_token_is_marked_as_configured():
    assert Redactor([TOKEN])(TOKEN) == "[redacted]"


@pytest.mark.parametrize("text", [SECRET, TOKEN, "https://u:pa55@h", f"Authorization: Bearer {TOKEN}", f"t='{TOKEN}'"])
def test_redacting_twice_changes_nothing(text):
    redact = Redactor([SECRET])
    assert redact(redact(text)) == redact(text)


# ------------------------------------------------------------------------------------- work, threads

HOSTILE = {
    "escapes": "\x1b[" * 500_000,
    "escapes without an end": "\x1b]" * 500_000,
    "invisible": "\u200b" * 1_000_000,
    "heads of a secret": "hunter" * 170_000,
    "a secret over and over": "hunter2-hunter2-hunter2 " * 10_000,
    "cuts": "hunter2-h…" * 100_000,
    "boxes": "│ " * 500_000,
    "lines": "x\n" * 500_000,
    "words": "word " * 200_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_megabyte_is_done_in_time(case):
    redact = Redactor([LONG])
    began = time.process_time()
    redact(HOSTILE[case])
    assert time.process_time() - began < 10  # quadratic would be hours


def test_ordinary_lines_cost_little_however_many_secrets_there_are():
    rng = random.Random(1)
    redact = Redactor(["".join(rng.choices(string.ascii_letters, k=40)) for _ in range(300)])
    line = "2026-11-28 INFO the quick brown fox jumps over http://example.org/x and the lazy dog 12345"
    redact(line)
    began = time.process_time()
    for _ in range(1_000):
        redact(line)
    assert (time.process_time() - began) / 1_000 < 0.001  # a few dozen microseconds


def test_what_is_known_holds_while_another_thread_teaches_more():
    redact = Redactor([LONG])
    stop = threading.Event()

    def teach():
        for number in range(60):
            redact.learn([f"another-secret-{number}"])
        stop.set()

    thread = threading.Thread(target=teach)
    thread.start()
    while not stop.is_set():
        assert redact(f"a {LONG} b") == "a [redacted] b"
    thread.join()
    assert redact("another-secret-59") == "[redacted]"
