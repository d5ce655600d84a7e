"""plugins.allow: what its lines say, and what is written into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.errors import InvalidConfig, Refused, UsageError
from tmux_sentry.plugins.allow import FILE, HEADER, Entry, canonical, is_writable, read, with_entry, without, write

HASH = "sha256:" + "0123456789abcdef" * 4
TEXT = f"""\
# mine
notify_a  tmux-sentry-notify-a\t0.1.0   # the old one

  check_b tmux.sentry_check_B {HASH}
notify_a  other-a  2.0
"""


def entry(name: str, distribution: str, pin: str) -> Entry:
    return Entry(name=name, distribution=distribution, pin=pin)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def put(home: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = home / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_a_line_is_a_name_a_distribution_and_a_version_or_a_hash(home: Path) -> None:
    path = put(home, TEXT)
    file = read(home)
    assert file is not None
    assert file.entries == (
        Entry(name="notify_a", distribution="tmux-sentry-notify-a", pin="0.1.0", place=f"{path}:2"),
        Entry(name="check_b", distribution="tmux.sentry_check_B", pin=HASH, place=f"{path}:4"),
        Entry(name="notify_a", distribution="other-a", pin="2.0", place=f"{path}:5"),
    )


def test_no_file_is_not_an_empty_file(home: Path) -> None:
    assert read(home) is None
    put(home, "")
    file = read(home)
    assert file is not None
    assert file.entries == ()


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        ("notify_a", 9, "the distribution is missing"),
        ("notify_a dist", 14, "the version is missing"),
        ("notify_a dist  # 1.0", 14, "the version is missing"),
        ("notify_a dist 1.0 2.0", 19, "too much for one line"),
        ("notify/a dist 1.0", 1, "'notify/a' cannot stand here"),
        ("notify_a di:st 1.0", 10, "'di:st' cannot stand here"),
        ("notify_a dist >=1.0", 15, "'>=1.0' cannot stand here"),
        (f"notify_a dist {HASH[:-1]}", 15, "cannot stand here"),
        (f"notify_a dist {HASH.upper()}", 15, "cannot stand here"),
        ("notify_a dist sha256", 15, "'sha256' cannot stand here"),
        ("notify_a dist 1.0#later", 15, "'1.0#later' cannot stand here"),
        ("\u202enotify_a dist 1.0", 1, "cannot stand here"),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_with_its_place(home: Path, line: str, column: int, what: str) -> None:
    path = put(home, f"# first\n{line}\nnotify_b dist 1.0\n")
    with pytest.raises(InvalidConfig) as raised:
        read(home)
    (found,) = raised.value.diagnostics
    assert (found.file, found.line, found.column) == (str(path), 2, column)
    assert what in found.what
    assert raised.value.exit_code == 2


def test_all_bad_lines_are_told_at_once(home: Path) -> None:
    put(home, "a\nnotify_a dist 1.0\nb c\n")
    with pytest.raises(InvalidConfig) as raised:
        read(home)
    assert [found.line for found in raised.value.diagnostics] == [1, 3]


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_others_can_write_is_refused(home: Path, mode: int) -> None:
    put(home, TEXT, mode)
    with pytest.raises(Refused, match="plugin list"):
        read(home)


def test_a_link_that_leads_nowhere_is_not_no_file(home: Path) -> None:
    (home / FILE).symlink_to(home / "gone")
    with pytest.raises(UsageError, match="cannot be read"):
        read(home)


def test_a_directory_in_its_place_is_not_no_file(home: Path) -> None:
    (home / FILE).mkdir()
    with pytest.raises(UsageError):
        read(home)


def test_bytes_that_are_no_text_are_refused(home: Path) -> None:
    put(home, b"notify_a dist 1.0\n\xff\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        read(home)


def test_a_new_version_takes_the_place_of_the_old_line_and_keeps_its_comment() -> None:
    after = with_entry(TEXT, entry("notify_a", "Tmux_Sentry.notify-a", "0.2.0"))
    lines = TEXT.splitlines()
    assert after.splitlines() == [
        lines[0],
        "notify_a  Tmux_Sentry.notify-a  0.2.0  # the old one",
        *lines[2:],
    ]


def test_a_new_plugin_stands_at_the_end() -> None:
    assert with_entry(HEADER, entry("x", "y", "1")) == HEADER + "x  y  1\n"
    assert with_entry("# no end of line", entry("x", "y", "1")) == "# no end of line\nx  y  1\n"


def test_a_second_line_about_the_same_plugin_goes() -> None:
    text = "a  d  1\n# between\na  D  2\n"
    assert with_entry(text, entry("a", "d", "3")) == "a  d  3\n# between\n"


def test_what_is_taken_out_leaves_the_rest_as_it_was() -> None:
    lines = TEXT.splitlines()
    assert without(TEXT, "notify_a").splitlines() == [lines[0], lines[2], lines[3]]


def test_the_file_is_written_as_a_whole_and_private(home: Path) -> None:
    put(home, TEXT, 0o644)
    path = write(home, "a  d  1\n")
    assert path.read_text() == "a  d  1\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in home.iterdir()] == [FILE]


def test_a_home_that_others_can_write_gets_no_file(home: Path) -> None:
    home.chmod(0o777)
    with pytest.raises(Refused):
        write(home, "a  d  1\n")
    assert not (home / FILE).exists()


@pytest.mark.parametrize(
    "one", [entry("a b", "d", "1"), entry("a", "d\nx", "1"), entry("a", "d", "1 2"), entry("#a", "d", "1")]
)
def test_what_no_line_can_hold_is_not_written(one: Entry) -> None:
    assert not is_writable(one)


_WORD = st.text("abcXYZ019_.-", min_size=1, max_size=12)
_ENTRY = st.builds(entry, _WORD, _WORD, _WORD.filter(lambda pin: not pin.startswith("sha")) | st.just(HASH))


@given(st.lists(_ENTRY, max_size=6), _ENTRY)
def test_what_is_written_is_what_is_read(before: list[Entry], new: Entry) -> None:
    import tempfile

    text = HEADER
    for one in [*before, new]:
        text = with_entry(text, one)
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), text)
        file = read(Path(folder))
    assert file is not None
    read_back = {(one.name, canonical(one.distribution)): one.pin for one in file.entries}
    assert read_back == {(one.name, canonical(one.distribution)): one.pin for one in [*before, new]}
    assert text.startswith(HEADER)
