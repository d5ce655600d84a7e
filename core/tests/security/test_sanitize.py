"""Text from outside leaves as text: nothing in it acts, hides, or is longer than asked for."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.security.sanitize import clean, clean_block, file_part, visible

HOSTILE = st.text(
    st.sampled_from("ab \n\r\t\x00\x07\x1b\x7f\x85\x90\x9b\x9c\x9d[]0;1mP_\\\u200b\u202e\ud800\ufeff中")
    | st.characters()
)
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

LINES = {
    "plain": ("3 tests failed", "3 tests failed"),
    "other scripts": ("构建成功 café Ω", "构建成功 café Ω"),
    "colour": ("\x1b[1;31mred\x1b[0m", "red"),
    "8-bit colour": ("\x9b31mred", "red"),
    "title, ended by BEL": ("a\x1b]0;pwned\x07b", "ab"),
    "title, ended by ST": ("a\x1b]2;pwned\x1b\\b", "ab"),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07x", "x"),
    "device control": ("\x1bPtmux;\x1b\\x", "x"),
    "title that never ends": ("a\x1b]0;hidden", "a"),
    "charset": ("\x1b(0x\x1b(B", "x"),
    "a sequence in a sequence": ("\x1b\x1b[31m[32mx", "\ufffd[32mx"),
    "a lone escape": ("a\x1b", "a\ufffd"),
    "overwriting": ("evil\rgood", "evil\ufffdgood"),
    "lines": ("a\nb\r\nc\td", "a b c d"),
    "NUL, BEL, DEL, NEL": ("a\0\x07\x7f\x85b", "a\ufffd\ufffd\ufffd\ufffdb"),
    "turned round": ("a\u202egnp.exe", "a\ufffdgnp.exe"),
    "isolated": ("\u2066a\u2069", "\ufffda\ufffd"),
    "zero width": ("pass\u200bword", "pass\ufffdword"),
    "line separator": ("a\u2028b", "a\ufffdb"),
    "hidden tags": ("a\U000e0041b", "a\ufffdb"),
    "half a pair": ("a\ud800b", "a\ufffdb"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_says_what_it_shows(case):
    text, shown = LINES[case]
    assert clean(text) == shown


@given(HOSTILE, st.integers(1, 40))
def test_nothing_that_acts_or_hides_gets_through(text, limit):
    line, block = clean(text, limit), clean_block(text, limit)
    assert not ACTS.search(line)
    assert "\n" not in line
    assert not ACTS.search(block)
    assert max(len(line), len(block)) <= limit
    (line + block + visible(text)).encode("utf-8")


@given(HOSTILE | st.text(st.characters(max_codepoint=0x7F)), st.integers(1, 40))
def test_a_harmless_text_is_returned_as_the_long_way_leaves_it(text, limit):
    long_way = clean(f"\x1b[0m{text}", limit)  # a colour goes without a trace
    assert len(text) > limit or clean(text, limit) == long_way


@pytest.mark.parametrize("function", [clean, clean_block, visible])
def test_no_character_that_unicode_calls_a_control_or_invisible_gets_through(function):
    # Cf also has signs that are seen, such as the Arabic number sign.
    seen = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    seen |= set(range(0x13430, 0x13440))
    for code in {c for c in range(0x110000) if unicodedata.category(chr(c)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - seen:
        assert chr(code) not in function(f"a{chr(code)}b") or (code == 0x0A and function is clean_block), hex(code)


def test_a_block_keeps_its_lines():
    assert clean_block("a\r\n\tb\n\n\x1b[2Jc") == "a\n    b\n\nc"


def test_a_broken_sequence_does_not_hide_the_lines_after_it():
    assert clean_block("one\x1b]0;broken\ntwo\x1bPmore\nthree") == "one\ntwo\nthree"


@pytest.mark.parametrize("function", [clean, clean_block])
def test_a_cut_is_shown(function):
    assert function("abcdef", 6) == "abcdef"
    assert function("abcdefg", 6) == "abcde…"
    assert function("\x1b[0m" * 100 + "what matters", 6).endswith("…")


def test_a_megabyte_of_escapes_is_not_read_to_its_end():
    assert len(clean("\x1b[" * 500_000, 100)) <= 100


def test_a_person_sees_every_byte_that_will_be_typed():
    assert visible("rm -rf x\n\t\x1b[31m\u202e\x7f\ud800") == r"rm -rf x\n\t\x1b[31m\u202e\x7f\ud800"
    assert visible("a\\nb") == r"a\\nb"
    assert visible("ls\u00a0-l\u3000") == r"ls\xa0-l\u3000"
    assert visible("构建") == "构建"


def test_a_long_text_says_how_much_is_missing():
    assert visible("a" * 30, 10) == "a" * 10 + "… (+20 characters)"


@given(HOSTILE, HOSTILE)
def test_different_texts_never_look_the_same_to_that_person(one, two):
    assert (visible(one, 10_000) == visible(two, 10_000)) == (one == two)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("build", "build"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("agent:codex ci", "agent-codex-ci"),
        ("a\0b\nc", "a-b-c"),
        ("a__b___c_____d", "a_b_c_d"),
        ("构建", "x"),
        ("", "x"),
        ("..", "x"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_name_becomes_one_part_of_a_file_name(name, part):
    assert file_part(name) == part


@given(HOSTILE)
def test_no_name_leaves_its_folder_or_forges_a_separator(name):
    part = file_part(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,59}", part)
    assert "__" not in part
