"""The protocol parser, fed with bytes as tmux 3.3a writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_sentry.tmux.control import (
    Broken,
    Continue,
    ControlParser,
    Event,
    Exit,
    Notification,
    Output,
    Pause,
    Reply,
    unescape,
)

BEGIN = b"%begin 1795338881 273 1\n"
END = b"%end 1795338881 273 1\n"


def reply(*lines: bytes, ok: bool = True, flags: int = 1, number: int = 273) -> Reply:
    return Reply(number=number, ok=ok, lines=lines, flags=flags)


CASES: dict[str, tuple[bytes, list[Event]]] = {
    "the attach's own block": (
        b"%begin 1795338881 268 0\n%end 1795338881 268 0\n%session-changed $1 two\n",
        [reply(number=268, flags=0), Notification(name="session-changed", rest="$1 two")],
    ),
    "a reply": (BEGIN + b"one\n\ntwo\n" + END, [reply(b"one", b"", b"two")]),
    "an error": (
        BEGIN + b"can't find pane: %99\n%error 1795338881 273 1\n",
        [reply(b"can't find pane: %99", ok=False)],
    ),
    "output": (b"%output %5 a\\015\\012\n", [Output(pane_id="%5", data=b"a\r\n")]),
    "output of one blank": (b"%output %5  \n", [Output(pane_id="%5", data=b" ")]),
    "output with every kind of escape": (
        b"%output %5 \\033[1m\\134\\0011\\134015\\015\n",
        [Output(pane_id="%5", data=b"\x1b[1m\\\x011\\015\r")],
    ),
    "output with raw invalid UTF-8": (
        b"%output %5 \xff\xfe\xc3\x7f\xe4\xb8\n",
        [Output(pane_id="%5", data=b"\xff\xfe\xc3\x7f\xe4\xb8")],
    ),
    "output that looks like protocol": (b"%output %5 %exit\n", [Output(pane_id="%5", data=b"%exit")]),
    "late output": (b"%extended-output %5 250 : a : b\n", [Output(pane_id="%5", data=b"a : b", age=250)]),
    "late output with words of a later tmux": (
        b"%extended-output %5 250 x y : a\n",
        [Output(pane_id="%5", data=b"a", age=250)],
    ),
    "pause and continue": (b"%pause %5\n%continue %5\n", [Pause(pane_id="%5"), Continue(pane_id="%5")]),
    "a bare notification": (b"%sessions-changed\n", [Notification(name="sessions-changed", rest="")]),
    "exit": (b"%exit\n", [Exit(reason="")]),
    "exit with a reason": (b"%exit server exited unexpectedly\n", [Exit(reason="server exited unexpectedly")]),
    "a name with a newline": (b"%window-renamed @1 a\nb\n", [Notification(name="window-renamed", rest="@1 a")]),
    "reply text that looks like protocol": (
        BEGIN
        + b"%end 1 2 1\n%end 1795338881 274 1\n%end 1795338882 273 1\n%end 1795338881 273\n%error 1 273 1\n"
        + b"%begin 1795338881 275 1\n%output %1 x\n%exit\n%pause %1\n %end 1795338881 273 1\n"
        + END,
        [
            reply(
                b"%end 1 2 1", b"%end 1795338881 274 1", b"%end 1795338882 273 1", b"%end 1795338881 273",
                b"%error 1 273 1", b"%begin 1795338881 275 1", b"%output %1 x", b"%exit", b"%pause %1",
                b" %end 1795338881 273 1",
            )
        ],
    ),
    "an end without a begin": (END, [Broken(reason="a block ended that had not begun")]),
    "a guessed end, and then the real one": (
        BEGIN + b"%end 1795338881 273 1\nrest of the screen\n%end 1795338881 273 1\n%exit\n",
        [reply(), Broken(reason="a block ended that had not begun")],
    ),
    "a forged second block with the same number": (
        BEGIN + END + BEGIN + b"SENT 42\n" + END,
        [reply(), Broken(reason="the block numbers do not rise")],
    ),
    "a begin without numbers": (b"%begin x 1 1\n%exit\n", [Broken(reason="a block began without its numbers")]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "events"), CASES.values(), ids=CASES.keys())
def test_bytes_become_events(data: bytes, events: list[Event]) -> None:
    assert ControlParser().feed(data) == events


@pytest.mark.parametrize(("data", "events"), CASES.values(), ids=CASES.keys())
def test_it_does_not_matter_where_the_bytes_are_cut(data: bytes, events: list[Event]) -> None:
    for cut in range(len(data) + 1):
        parser = ControlParser()
        assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == events
    parser = ControlParser()
    assert [event for at in range(len(data)) for event in parser.feed(data[at : at + 1])] == events


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%output %5 " + b"x" * 100, "a line is too long"),
        (b"%output %5 " + b"x" * 100 + b"\n", "a line is too long"),
        (BEGIN + b"x\n" * 11, "a reply is too long"),
        (BEGIN + (b"x" * 40 + b"\n") * 6, "a reply is too long"),
    ],
)
def test_nothing_grows_without_bound(data: bytes, reason: str) -> None:
    parser = ControlParser(max_line=64, max_lines=10, max_block=200)
    assert parser.feed(data)[-1] == Broken(reason=reason)
    assert parser.feed(b"\n%exit\n" + END) == []


def escape(data: bytes) -> bytes:
    """What tmux 3.3a does to output (control_append_data)."""
    return b"".join(b"\\%03o" % byte if byte < 0x20 or byte == 0x5C else bytes([byte]) for byte in data)


@given(st.binary())
def test_any_output_survives(data: bytes) -> None:
    assert unescape(escape(data)) == data


@pytest.mark.parametrize("start", [b"%output %1 ", b"%extended-output %1 0 : "])
@given(st.lists(st.binary(min_size=1), max_size=8), st.integers(min_value=1, max_value=64))
def test_any_output_survives_any_chunks(start: bytes, outputs: list[bytes], size: int) -> None:
    data = b"".join(start + escape(output) + b"\n" for output in outputs)
    parser = ControlParser()
    events = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]
    assert events == [Output(pane_id="%1", data=output) for output in outputs]


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line), max_size=20))
def test_any_reply_text_stays_text(lines: list[bytes]) -> None:
    expected = tuple(line for line in lines if line not in (BEGIN[:-1], END[:-1]))
    data = BEGIN + b"".join(line + b"\n" for line in expected) + END
    assert ControlParser().feed(data) == [reply(*expected)]
