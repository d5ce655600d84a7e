"""The one order in which text leaves: redacted, cleaned, escaped."""

from __future__ import annotations

import json

import pytest

from tmux_sentry.security.escape import for_html
from tmux_sentry.security.outlet import data_out, text_out
from tmux_sentry.security.redact import Redactor

HIDE = Redactor(["hunter2-hunter2"])


@pytest.mark.parametrize("limit", range(1, 40))
def test_a_secret_at_the_limit_is_not_let_out_in_half(limit):
    assert "hun" not in text_out("a b hunter2-hunter2 c", HIDE, limit)
    assert "hun" not in text_out("a\nb hunter2-hunter2 c", HIDE, limit, lines=True)


def test_a_line_is_one_and_a_block_keeps_its_lines():
    assert text_out("a\nb\x1b[31m", HIDE) == "a b"
    assert text_out("a\nb\x1b[31m", HIDE, lines=True) == "a\nb"


def test_escaping_comes_last():
    assert text_out("<b>hunter2-hunter2</b>", HIDE, escape=for_html) == "&lt;b&gt;[redacted]&lt;/b&gt;"
    assert text_out("a<<<", HIDE, 3, escape=for_html) == "a&lt;…"


def test_data_keeps_its_shape_and_its_exact_text_but_for_secrets():
    data = {"a": ["x\x1b[31m", {"hunter2-hunter2": (1, None, True, 1.5, "https://hunter2-hunter2")}]}
    out = data_out(data, HIDE)
    assert out == {"a": ["x\x1b[31m", {"[redacted]": [1, None, True, 1.5, "https://[redacted]"]}]}
    assert "\x1b" not in json.dumps(out)
