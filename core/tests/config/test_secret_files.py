"""Values in env files and YAML files: found where they stand, replaced there, and every other byte as it was."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.config.env_file import parse_env
from tmux_sentry.config.secret_files import Document, parse_document
from tmux_sentry.errors import SentryError, UsageError

ENC = "enc:v1:a47873da:AAECAwQFBgcICQoLL3e4b6CXfXfK4MUzpK7V18JV-ISXdg"
ENV, YAML = Path(".env"), Path("hosts.yaml")


def put(path: Path, text: str, name: str, value: str = ENC) -> str:
    document = parse_document(path, text, yaml=path == YAML)
    found = document.named(name)
    return document.appended(name, value) if found is None else document.replaced({found: value})


ENVS = {
    "plain": ("A=1\nX=old\nB=2\n", f"A=1\nX={ENC}\nB=2\n"),
    "a comment behind": ("X=old # why\n", f"X={ENC} # why\n"),
    "a comment behind nothing": ("X= # why\n", f"X={ENC} # why\n"),
    "a hash inside": ("X=ol#d\n", f"X={ENC}\n"),
    "export": ("export X=old\n", f"export X={ENC}\n"),
    "spaces around": ("  X = old  \nB=2\n", f"  X = {ENC}  \nB=2\n"),
    "a quoted name": ("'X'=old\n", f"'X'={ENC}\n"),
    "double quotes": ('X="o l\\"d" # c\n', f'X="{ENC}" # c\n'),
    "single quotes": ("X='o\\'ld'\n", f"X='{ENC}'\n"),
    "several lines": ('A=1\nX="one\ntwo\n\nX=three"\nB=2\n', f'A=1\nX="{ENC}"\nB=2\n'),
    "CRLF": ("A=1\r\nX=old\r\nB=2\r\n", f"A=1\r\nX={ENC}\r\nB=2\r\n"),
    "CRLF, nothing": ("A=1\r\nX=\r\nB=2\r\n", f"A=1\r\nX={ENC}\r\nB=2\r\n"),
    "the last of two": ("X=1\nX=2\n", f"X=1\nX={ENC}\n"),
    "no end of line": ("A=1\nX=old", f"A=1\nX={ENC}"),
    "added": ("A=1\n", f"A=1\nX={ENC}\n"),
    "added behind no end of line": ("A=1", f"A=1\nX={ENC}\n"),
    "added, CRLF": ("A=1\r\n", f"A=1\r\nX={ENC}\r\n"),
    "added to nothing": ("", f"X={ENC}\n"),
    "not the comment": ("#X=1\n", f"#X=1\nX={ENC}\n"),
    "without =": ("X\n", f"X\nX={ENC}\n"),
    "a byte order mark": ("\ufeffX=1\nA=2\n", f"\ufeffX={ENC}\nA=2\n"),
    "blank lines": ("\n\n  \nX=1\n\n", f"\n\n  \nX={ENC}\n\n"),
    "wide characters": ("A=密码\nX=ü\n", f"A=密码\nX={ENC}\n"),
    "empty quotes": ("X=''\n", f"X='{ENC}'\n"),
}


@pytest.mark.parametrize(("before", "after"), ENVS.values(), ids=ENVS)
def test_a_variable_is_replaced_in_its_place(before: str, after: str) -> None:
    assert put(ENV, before, "X") == after
    assert put(ENV, after, "X") == after


YAMLS = {
    "plain": ("a:\n  x: old  # c\n  y: 1\n", f"a:\n  x: {ENC}  # c\n  y: 1\n"),
    "double quotes": ('a: {x: "o\\"ld", y: 1}\n', f'a: {{x: "{ENC}", y: 1}}\n'),
    "single quotes": ("a: {x: 'it''s'}\n", f"a: {{x: '{ENC}'}}\n"),
    "in a flow": ("a: {x: old, y: [1]}\n", f"a: {{x: {ENC}, y: [1]}}\n"),
    "nothing": ("a:\n  x:\n  y: 1\n", f"a:\n  x: {ENC}\n  y: 1\n"),
    "nothing in a flow": ("a: {x: , y: 1}\n", f"a: {{x: {ENC} , y: 1}}\n"),
    "a number": ("a: {x: 123456}\n", f"a: {{x: {ENC}}}\n"),
    "a block": ("a:\n  x: |\n    one\n    two\n\n  # c\n  y: 1\n", f"a:\n  x: {ENC}\n\n  # c\n  y: 1\n"),
    "a folded block at the end": ("a:\n  x: >-\n    one\n    two\n", f"a:\n  x: {ENC}\n"),
    "several plain lines": ("a:\n  x: one\n    two\n  y: 1\n", f"a:\n  x: {ENC}\n  y: 1\n"),
    "CRLF": ("# c\r\na:\r\n  x: old\r\n  y: 1\r\n", f"# c\r\na:\r\n  x: {ENC}\r\n  y: 1\r\n"),
    "no end of line": ("a: {x: old}", f"a: {{x: {ENC}}}"),
    "wide characters": ("b: 密码🔐\na: {x: ü}\n", f"b: 密码🔐\na: {{x: {ENC}}}\n"),
}


@pytest.mark.parametrize(("before", "after"), YAMLS.values(), ids=YAMLS)
def test_a_text_in_yaml_is_replaced_in_its_place(before: str, after: str) -> None:
    assert put(YAML, before, "a.x") == after
    assert put(YAML, after, "a.x") == after


@pytest.mark.parametrize("text", ["a: {x: &p old, y: *p}\n", "a: {x: !!str 1}\n"])
def test_an_anchor_or_a_tag_is_not_replaced_by_guess(text: str) -> None:
    with pytest.raises(UsageError):
        put(YAML, text, "a.x")


def test_a_name_that_others_are_found_by_is_not_replaced() -> None:
    with pytest.raises(SentryError, match="cannot be changed here"):
        put(YAML, "hosts:\n  - name: nas\n    ssh: {password: x}\n", "hosts.nas.name")


def test_a_value_that_would_end_its_quotes_is_not_written() -> None:
    """Encrypted values cannot; the check behind the writing is for what nobody thought of."""
    with pytest.raises(SentryError, match="cannot be changed here"):
        put(ENV, "X=1\n", "X", "a b # c")
    with pytest.raises(SentryError, match="cannot be changed here"):
        put(YAML, "a: {x: 1}\n", "a.x", "v: {w")


@pytest.mark.parametrize("name", ["a.b", "A-B", "1A", "A B", "", "Ä"])
def test_a_line_is_only_added_for_a_variables_name(name: str) -> None:
    with pytest.raises(UsageError, match="is not a variable's name"):
        Document(path=ENV, yaml=False, text="").appended(name, ENC)


def test_places_in_yaml_are_called_by_the_names_of_items() -> None:
    text = """
hosts:
  - name: nas
    ssh: {password: one}
  - {ssh: {password: two}}
  - name: a.b
    ssh: {password: three}
  - name: "7"
    tags: [x, y]
"""
    found = {value.text: (value.name, value.line) for value in parse_document(YAML, text, yaml=True).values}
    assert found["one"] == ("hosts.nas.ssh.password", 4)
    assert found["two"] == ("hosts.1.ssh.password", 5)
    assert found["three"] == ('hosts."a.b".ssh.password', 7)
    assert found["y"] == ('hosts."7".tags.1', 9)


def test_the_place_of_a_variable_is_that_of_its_value() -> None:
    values = parse_document(ENV, 'A="1\n2"\r\n\r\n  export X = old\n', yaml=False).values
    assert [(one.name, one.line, one.column) for one in values] == [("A", 1, 3), ("X", 4, 14)]


LINES = st.sampled_from(
    [
        "A=1",
        "export B=2 # c",
        "X=old",
        'X="a\nb"',
        "X='q'",
        "# X=1",
        "",
        "  ",
        "C",
        "D=",
        "E= #c",
        "X=#",
        "Y=a'b",
        "X =\t1",
    ]
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_whatever_the_file_the_value_is_read_back_and_the_others_stay(lines: list[str], end: str, ended: bool) -> None:
    text = end.join(lines) + (end if ended else "")
    after = put(ENV, text, "X")
    wanted = dict(dotenv_values(stream=io.StringIO(text), interpolate=False)) | {"X": ENC}
    assert dict(dotenv_values(stream=io.StringIO(after), interpolate=False)) == wanted
    # Only the place of the value differs.
    place = parse_env(ENV, after).last["X"]
    left, right = after[: place.start], after[place.end :]
    assert text.startswith(left.rstrip("\"'").removesuffix("X=").rstrip("\r\n"))
    assert text.endswith(right) or not right.strip()
