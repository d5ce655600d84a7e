"""What a person sees on a line is what the assembler says, at any split of the bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmux_sentry.watch.lines import CONTEXT, OSC_LIMIT, LineAssembler, ModeSeen, OscSeen, Part, Printed, TitleSeen
from tmux_sentry.watch.row import LINE_LIMIT

ON, OFF = b"\x1b[?2004h", b"\x1b[?2004l"
RIGHT = b"\x1b[C"

# Bytes of a real bash 5.2 in a pane of 80 columns, recorded with pipe-pane on tmux 3.3a.
WRAPPED_EDITED = (
    ON + b"root@vm:/tmp/watch$ echo a command that is long enough to be wrapped by readline at the right margin of the "
    b"pane ok\x1bM"
    + b"\b" * 15
    + b"Xecho a command that is long enough to be wrapped by readline\x1b[1@ \x1bM"
    + RIGHT * 19
    + b"\r\n\r"
    + RIGHT * 36
    + b"\b\x1b[K\b\x1b[K\r\n"
    + OFF
    + b"\rbash: Xecho: command not found\r\n"
)
HISTORY = (
    ON
    + b"root@vm:/tmp/watch$ echo short"
    + b"\b" * 10
    + b"Xecho a command that is long enough to be wrapped by readline "
    b"at the right margin of the pane \x1bM"
    + b"\b" * 14
    + b"echo short\x1b[K\r\n\r\x1b[K\x1bM"
    + RIGHT * 30
    + b"\r\n"
    + OFF
    + b"\rshort\r\n"
)
SEARCH = (
    ON
    + b"root@vm:~$ \r(reverse-i-search)`': \b\b\bl': ls -la\b\b\b\b\b\b\rroot@vm:~$ ls -la\x1b[K\r\n"
    + OFF
    + b"\rtotal 0\r\n"
)
EDITED = b"$ abcdef\b\bXYef\b\b\b\x1b[1Pef\b\b\x1b[1Pf\b\b\b\b\b\bf\x1b[K\b\x1b[K\r\n"
COLOURED = (
    ON
    + b"\x1b]0;root: /tmp\x07\x1b[01;32mroot@vm\x1b[00m:\x1b[01;34m/tmp\x1b[00m# ls\r\n"
    + OFF
    + b"\r\x1b[0m\x1b[01;34m/etc\x1b[0m  \x1b[30;42m/tmp\x1b[0m\r\n"
)
SPINNER = (
    b"\x1b[1G\x1b[0K\xe2\xa0\x8b installing\x1b[1G\x1b[0K\xe2\xa0\x99 installing\x1b[1G\x1b[0K\xe2\xa0\xb9 installing"
    b"\x1b[1G\x1b[0Kadded 3 packages\r\n"
)
ZSH = (
    b"\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m"
    + b" " * 79
    + b"\r \r\r\x1b[0m\x1b[27m\x1b[24m\x1b[Jvm% \x1b[K\x1b[70C12:00\x1b[75D"
    + ON
    + b"ls\x1b[69C\b"
    + OFF
    + b"\r\r\nfile\r\n"
)


def parts_of(data: bytes, width: int = 80, step: int | None = None) -> list[Part]:
    assembler = LineAssembler(width)
    step = step or max(len(data), 1)
    return [part for at in range(0, len(data), step) for part in assembler.feed(data[at : at + step]).parts]


def lines_of(data: bytes, width: int = 80, step: int | None = None) -> list[str]:
    return [line for part in parts_of(data, width, step) if isinstance(part, Printed) for line in part.lines]


CASES: list[tuple[str, bytes, list[str]]] = [
    ("plain", b"one\r\ntwo\r\n", ["one", "two"]),
    ("bare line feeds", b"one\ntwo\n", ["one", "two"]),
    ("an unfinished line is kept back", b"one\r\ntw", ["one"]),
    ("trailing blanks go", b"one   \r\n", ["one"]),
    ("a doubled carriage return", b"one\r\r\n", ["one"]),
    ("a long line is one line", b"x" * 300 + b"\r\n", ["x" * 300]),
    ("a line exactly as wide as the pane", b"x" * 80 + b"\r\ny\r\n", ["x" * 80, "y"]),
    ("UTF-8", "中文 ✓ é\r\n".encode(), ["中文 ✓ é"]),
    ("invalid UTF-8", b"a\xff\xfeb\r\n", ["a\ufffd\ufffdb"]),
    ("8-bit and other controls go", b"a\x00\x07b\xc2\x9bc\x7f\r\n", ["abc"]),
    ("tabs", b"a\tb\tc\r\n", ["a       b       c"]),
    ("colours", b"\x1b[1;31mred\x1b[0m ok\x1b(B\r\n", ["red ok"]),
    ("a progress bar", b" 10%\r 50%\r100% done\r\n", ["100% done"]),
    ("the longer rest stays", b"foobarbaz\rxyz\r\n", ["xyzbarbaz"]),
    ("SENTRY over foo", b'foo\r### SENTRY {"a":1}\r\n', ['### SENTRY {"a":1}']),
    ("erased to the end", b"foobar\rxyz\x1b[K\r\n", ["xyz"]),
    ("erased to the cursor", b"foobar\b\b\x1b[1K\r\n", ["     r"]),
    ("erased whole, cursor stays", b"foo\x1b[2Kbar\r\n", ["   bar"]),
    ("erased below", b"foobar\b\b\b\x1b[J!\r\n", ["foo!"]),
    ("columns", b"\x1b[5Gx\x1b[1Gy\r\n", ["y   x"]),
    ("delete, insert, blank", b"abcdef\r\x1b[2P\x1b[1@X\x1b[C\x1b[1X\r\n", ["Xc ef"]),
    ("wide characters half written over", "中文\rx\r\n".encode(), ["x 文"]),
    ("a wide character wraps early", ("a" * 79 + "中\r\r\n").encode(), ["a" * 79 + "中"]),
    ("accents", "e\u0301\rx\r\n".encode(), ["x"]),
    ("readline wraps with blank and CR", b"$ " + b"y" * 78 + b" \rzz\r\n", ["$ " + "y" * 78 + "zz"]),
    ("CR returns to the row", b"a" * 80 + b"b\rc\r\n", ["a" * 80 + "c"]),
    ("a full row is not left by CR", b"a" * 80 + b"\rc\r\n", ["c" + "a" * 79]),
    ("backspace over a wrap", b"a" * 80 + b"bc\b\b\bX\r\n\n", ["a" * 79 + "Xbc"]),
    ("cursor home ends the line", b"abc\x1b[Hdef\r\n", ["abc", "def"]),
    ("cursor up ends a short line", b"abc\x1b[Adef\r\n", ["abc", "def"]),
    ("clear screen", b"abc\x1b[2J\x1b[1;1Hdef\r\n", ["abc", "def"]),
    ("reverse index at the first row", b"abc\x1bMdef\r\n", ["abc", "def"]),
    ("nothing on the line, nothing said", b"\x1b[H\x1b[2J\x1b[3J", []),
    ("DCS, APC and the screen title go", b"a\x1bPq1;2\x07\x1b\\b\x1b_x\x1b\\c\x1bkname\x1b\\d\r\n", ["abcd"]),
    ("an OSC ended by any ESC", b"a\x1b]0;t\x1b[1mb\r\n", ["ab"]),
    ("a broken CSI", b"a\x1b[12\r\nb\r\n", ["a", "b"]),
    ("a lonely ESC", b"a\x1b\r\nb\r\n", ["a", "b"]),
    ("huge parameters", b"a\x1b[99999999999Cb\x1b[99999999999Dc\r\n", ["c" + " " * 78 + "b"]),
    ("wrapped, recalled, edited in row one", WRAPPED_EDITED, [
        "root@vm:/tmp/watch$ Xecho a command that is long enough to be wrapped by readline at the right margin of "
        "the pane",
        "bash: Xecho: command not found",
    ]),
    ("through the history", HISTORY, ["root@vm:/tmp/watch$ echo short", "short"]),
    ("reverse search", SEARCH, ["root@vm:~$ ls -la", "total 0"]),
    ("edited and emptied", EDITED, ["$"]),
    ("a coloured prompt", COLOURED, ["root@vm:/tmp# ls", "/etc  /tmp"]),
    ("npm's spinner", SPINNER, ["added 3 packages"]),
    ("zsh's prompt with a right prompt", ZSH, ["vm% ls" + " " * 68 + "12:00", "file"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_line_is_what_a_person_sees(data: bytes, expected: list[str], step: int | None) -> None:
    assert lines_of(data, step=step) == expected


def test_titles_marks_and_modes_come_in_the_order_of_the_pane() -> None:
    data = b"one\r\n\x1b]2;title\x07two\r\n\x1b]133;D;1\x1b\\" + ON + b"three\r\n\x1b[?1049hfour\r\n\x1b[?1049;25l"
    assert parts_of(data) == [
        Printed(lines=("one",), before=()),
        TitleSeen(title="title"),
        Printed(lines=("two",), before=("one",)),
        OscSeen(number=133, text="D;1"),
        ModeSeen(mode="bracketed_paste", on=True),
        Printed(lines=("three",), before=("one", "two")),
        ModeSeen(mode="alternate", on=True),
        Printed(lines=("four",), before=("one", "two", "three")),
        ModeSeen(mode="alternate", on=False),
    ]


def test_the_clipboard_and_links_stay_in_the_pane() -> None:
    assert parts_of(b"\x1b]52;c;c2VjcmV0\x07\x1b]8;;http://x\x07\x1b]7501;state=idle\x07\x1b]x\x07") == [
        OscSeen(number=7501, text="state=idle")
    ]


def test_a_title_loses_its_control_characters() -> None:
    assert parts_of(b"\x1b]0;a\nb\x08c\x07") == [TitleSeen(title="abc")]


@pytest.mark.parametrize(
    ("data", "printed"), [(b"x", True), (b"\n", True), (b"\x1b]0;t\x07", False), (b"\x1b[31m", False)]
)
def test_only_text_counts_as_printed(data: bytes, printed: bool) -> None:
    assert LineAssembler().feed(data).printed is printed


@pytest.mark.parametrize("character", ["x", "中", "e\u0301"])
@pytest.mark.parametrize("ending", [b"\r\n", b"\b\r\n"])
def test_a_line_without_end_is_cut(character: str, ending: bytes) -> None:
    assembler = LineAssembler()
    for _ in range(20):
        assembler.feed((character * 1000).encode())
    (part,) = assembler.feed(ending + b"next\r\n").parts
    assert isinstance(part, Printed)
    assert len(part.lines[0]) <= 8 * LINE_LIMIT
    assert part.lines[1] == "next"


def test_an_osc_without_end_does_not_silence_the_pane() -> None:
    assembler = LineAssembler()
    for _ in range(3):
        assembler.feed(b"\x1b]0;" + b"x" * OSC_LIMIT)
    assert lines_of(b"\x1b]0;" + b"x" * (OSC_LIMIT + 1) + b"\nback\r\n", step=1000) == ["", "back"]
    assert assembler.feed(b"\nback\r\n").parts == (Printed(lines=("", "back"), before=()),)


def test_only_the_last_lines_are_kept_as_context() -> None:
    assembler = LineAssembler()
    assembler.feed(b"".join(b"%d\r\n" % n for n in range(100)))
    (part,) = assembler.feed(b"news\r\n").parts
    assert part == Printed(lines=("news",), before=("96", "97", "98", "99"))
    assert CONTEXT == 4


def test_after_a_gap_no_line_is_glued_together() -> None:
    assembler = LineAssembler()
    assembler.feed(b"first half \x1b[3")
    assembler.reset()
    assert assembler.feed(b"second\r\n").parts == (Printed(lines=("second",), before=()),)


PIECES = st.one_of(
    st.binary(max_size=6),
    st.text(alphabet="ab 中e\u0301✓", max_size=30).map(str.encode),
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\x1b", b"\x1b[", b"\x1b[K", b"\x1b[1K", b"\x1b[2P", b"\x1b[3@",
         b"\x1b[A", b"\x1b[B", b"\x1bM", b"\x1b[5G", b"\x1b[9D", b"\x1b[J", b"\x1b[H", b"\x1b[4X",
         b"\x1b]0;t", b"\x1b]9;x\x07",
         b"\x1b\\", b"\x1bPq", b"\x07", b"\x1b[?1049h", b"\x1b[?2004l", b"x" * 20, b"\x18"]
    ),
)  # fmt: skip


def flat(parts: list[Part]) -> list[object]:
    out: list[object] = []
    for part in parts:
        out.extend(part.lines if isinstance(part, Printed) else [part])
    return out


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=25),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    width=st.sampled_from([0, 1, 7, 20, 80]),
)
def test_any_split_gives_the_same_lines(pieces: list[bytes], cuts: list[int], width: int) -> None:
    data = b"".join(pieces)
    whole, split = LineAssembler(width), LineAssembler(width)
    expected = flat(list(whole.feed(data).parts))
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    found = [part for a, b in pairwise(edges) for part in split.feed(data[a:b]).parts]
    assert flat(found) == expected
    assert split.partial == whole.partial


#: Too long a line. Byte by byte it takes long, so it is tried in a few places only.
LONG = b"x" * (LINE_LIMIT + 9)


@settings(max_examples=300, deadline=None)
@example(lines=[LONG], rest=b"\r")
@example(lines=[b"a", LONG, b"b"], rest=b"")
@example(lines=[b"a" + OFF, LONG, b" \r"], rest=b"\xe4")
@example(lines=[LONG + "中".encode(), b"\x1b[31mred"], rest=b"")
@given(
    lines=st.lists(
        st.text(alphabet="ab 中e\u0301✓\xa0\u200b\x85\t").map(str.encode)
        | st.sampled_from([b"x" * 90, b" \r", b"\xff\xe4\xb8", b"\x1b[31mred", b"\x1b]0;t\x07", b"a" + OFF]),
        max_size=8,
    ),
    rest=st.sampled_from([b"", b" ", b"a", b"\xe4", b"\r", b"\x1b"]),
)
def test_whole_lines_are_read_as_the_same_bytes_are_one_by_one(lines: list[bytes], rest: bytes) -> None:
    whole, single = LineAssembler(), LineAssembler()
    for line in lines:
        data = line + b"\r\n"
        chunk = whole.feed(data)
        chunks = [single.feed(data[at : at + 1]) for at in range(len(data))]
        assert list(chunk.parts) == [part for one in chunks for part in one.parts]
        assert chunk.printed == any(one.printed for one in chunks)
    data = b"".join(line + b"\r\n" for line in lines) + rest
    again, plain = LineAssembler(), LineAssembler()
    assert flat(list(again.feed(data).parts)) == flat(
        [part for at in range(len(data)) for part in plain.feed(data[at : at + 1]).parts]
    )
    assert again.partial == plain.partial


@pytest.mark.parametrize(
    "data", [b"$ ls\r\n" + OFF + b"\rfile\r\n", b"% ls" + OFF + b"\r\r\nfile\r\n"], ids=["bash", "zsh"]
)
def test_the_editor_is_left_between_the_command_and_its_output(data: bytes) -> None:
    assert [type(part) for part in LineAssembler().feed(data).parts] == [Printed, ModeSeen, Printed]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_no_control_character_is_left_in_a_line(data: bytes) -> None:
    for line in lines_of(data, width=10):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line)
