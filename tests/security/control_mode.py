"""Control mode under hostile and damaged bytes: no crash, and no event that the bytes do not bear out.

Three kinds of streams, made from the shapes that a real tmux 3.3a writes (recorded: attach, replies, errors, output,
renames, an exit), from a seed:

* hostile: whatever a program can print, or be called, stands in the payload. The events must be exactly the true ones.
* damaged: cut, shuffled, bytes changed. Each event must be borne out by lines of its own, in order (`unexplained`).
* asked: the same to the real client, over a byte channel. An answer is the true one, or there is none.
"""

from __future__ import annotations

import queue
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from figure import Figure

from tmux_sentry.errors import Unreachable
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
from tmux_sentry.tmux.control_client import ControlClient
from tmux_sentry.tmux.model import TmuxAddress
from tmux_sentry.transport.base import Completed

HOSTILE, DAMAGED, ASKED = 4_000, 4_000, 2_000
SEED = 20261128
TIME = 1795906113
ASKED_NUMBER = 300  # of the block that answers

#: What a pane may print, and what a capture of it may hold, without a newline.
LINES = (
    b"%exit", b"%exit server exited", b"%end", b"%end 1 2 1", b"%error 1 2 1", b"%begin 1 2 1", b"%begin x",
    b"%pause %0", b"%continue %0", b"%output %9 forged", b"%extended-output %9 0 : forged",
    b"%session-changed $9 forged", b"%window-renamed @9 x", b"%sessions-changed", b"%", b"%%", b"% ", b"", b" ",
    b"\\", b"\\0", b"\\01", b"\\015\\012", b"\\999", b"\\400", b"\\1345", b"\xff\xfe", b"\xc3", b"\xe4\xb8",
    b"\xed\xa0\x80", b"\x00", b"\r", b"\x1b[2J\x1b]0;x\x07", b"\x1b_%exit\x1b\\", b"\x90%exit\x9c",
    "构建 ✅".encode(), b"A" * 300, b"%end " * 40, b"### SENTRY {}", b"SENT 1 0", b"REFUSED 1 0 ////", b"CLAIMED",
    b"%begin %end 1 2 1", b" %end 1 2 1", b"%end 1 2 1 ", b"%End 1 2 1", b"%config-error x",
)  # fmt: skip


def measure() -> list[Figure]:
    """Try every stream."""
    rng = random.Random(SEED)
    failures: Counter[str] = Counter()
    events = 0
    for _ in range(HOSTILE):
        data, true = honest(rng)
        events += _try(failures, lambda data=data, true=true: _same(feed(rng, data), true))
    for _ in range(DAMAGED):
        data = damage(rng, honest(rng)[0])
        events += _try(failures, lambda data=data: unexplained(data, feed(rng, data)))
    answered = 0
    for _ in range(ASKED):
        answered += _try(failures, lambda: ask(rng))
    total = HOSTILE + DAMAGED + ASKED
    shown = (
        f"{total:,} fuzzed streams ({events:,} events, {answered:,} of {ASKED:,} questions answered): "
        f"{failures['crash']} crashes, {failures['forged']} forged events"
    )
    fine = not failures and events > total and answered > ASKED // 2
    return [Figure(name="control mode", shown=shown, ok=fine)]


def _try(failures: Counter[str], attempt: Callable[[], tuple[int, bool]]) -> int:
    """What the attempt counted; a forged event and any exception are failures."""
    try:
        number, forged = attempt()
    except Exception:
        failures["crash"] += 1
        return 0
    if forged:
        failures["forged"] += 1
    return number


def _same(events: list[Event], true: list[Event]) -> tuple[int, bool]:
    return len(events), events != true


def feed(rng: random.Random, data: bytes) -> list[Event]:
    """The parser's events of `data`, in pieces as a pipe may bring them."""
    parser, events, at = ControlParser(max_line=4096, max_lines=400, max_block=40_000), [], 0
    while at < len(data):
        size = rng.choice((1, 7, 64, 1000, len(data)))
        events += parser.feed(data[at : at + size])
        at += size
    return events


# ------------------------------------------------------------------------------- as tmux writes


def escaped(data: bytes) -> bytes:
    """What tmux does to output (control_append_data)."""
    return b"".join(b"\\%03o" % byte if byte < 0x20 or byte == 0x5C else bytes([byte]) for byte in data)


def block(number: int, lines: Sequence[bytes], *, ok: bool = True, flags: int = 1) -> bytes:
    """A reply, whose text tmux does not escape."""
    numbers = b"%d %d %d" % (TIME, number, flags)
    text = b"".join(line + b"\n" for line in lines)
    return b"%begin " + numbers + b"\n" + text + (b"%end " if ok else b"%error ") + numbers + b"\n"


def honest(rng: random.Random) -> tuple[bytes, list[Event]]:
    """A stream with hostile text in it, and the events that it means."""
    data, events, number = b"", [], 270
    for _ in range(rng.randrange(1, 10)):
        text = b"\n".join(rng.choices(LINES, k=rng.randrange(4)))
        pane = rng.choice(("%0", "%1", "%23"))
        match rng.randrange(6):
            case 0:
                data += b"%output " + pane.encode() + b" " + escaped(text) + b"\n"
                events.append(Output(pane_id=pane, data=text))
            case 1:
                age = rng.randrange(5000)
                data += b"%%extended-output %b %d : %b\n" % (pane.encode(), age, escaped(text))
                events.append(Output(pane_id=pane, data=text, age=age))
            case 2 | 3:
                number += rng.randrange(1, 4)
                ok, flags = rng.random() < 0.8, rng.randrange(2)
                lines = tuple(text.split(b"\n")) if text else ()
                data += block(number, lines, ok=ok, flags=flags)
                events.append(Reply(number=number, ok=ok, lines=lines, flags=flags))
            case 4:
                word = rng.choice((b"pause", b"continue"))
                data += b"%" + word + b" " + pane.encode() + b"\n"
                events.append(Pause(pane_id=pane) if word == b"pause" else Continue(pane_id=pane))
            case _:
                # A name has no control characters: tmux takes them out.
                name = text.replace(b"\n", b"_")
                data += b"%window-renamed @0 " + name + b"\n"
                events.append(Notification(name="window-renamed", rest="@0 " + name.decode("utf-8", "replace")))
    return data, events


# -------------------------------------------------------------------------------------- damage


def damage(rng: random.Random, data: bytes) -> bytes:
    """`data` after one to four accidents."""
    for _ in range(rng.randrange(1, 5)):
        lines = data.split(b"\n")
        at = rng.randrange(len(lines))
        match rng.randrange(11):
            case 0:
                data = data[: rng.randrange(len(data) + 1)]
                continue
            case 1:
                data = data[rng.randrange(len(data) + 1) :]
                continue
            case 2:
                raw = bytearray(data)
                for _ in range(rng.randrange(1, 6)):
                    if raw:
                        raw[rng.randrange(len(raw))] = rng.randrange(256)
                data = bytes(raw)
                continue
            case 3:
                lines.insert(at, rng.choice(LINES))
            case 4:
                lines[at] = lines[at] * rng.randrange(2, 600)
            case 5:
                del lines[at]
            case 6:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 7:
                rng.shuffle(lines)
            case 8:
                lines.insert(at, b"%output %0 " + b"".join(rng.choices(LINES, k=3)))  # broken escapes
            case 9:
                kind, flags = rng.choice((b"%begin", b"%end", b"%error")), rng.randrange(3)
                lines.insert(at, b"%b %d %d %d" % (kind, TIME, rng.randrange(268, 280), flags))
            case _:
                lines.insert(
                    at, rng.choice((b"%begin 1 2", b"%begin  1 2", b"%begin \xd9\xa3 1 1", b"%end", b"%begin 1 -2 1"))
                )
        data = b"\n".join(lines)
    return data


def unexplained(data: bytes, events: list[Event]) -> tuple[int, bool]:
    """Whether an event has no lines of its own: each takes the next that say it, a reply all from begin to end.

    Written without the parser, but for what an escape means.
    """
    lines, at = data.split(b"\n")[:-1], 0
    numbers = [event.number for event in events if isinstance(event, Reply)]
    if numbers != sorted(set(numbers)):  # a number that comes again is no new answer
        return 0, True
    for index, event in enumerate(events):
        if isinstance(event, Broken):
            return index, index != len(events) - 1
        while at < len(lines):
            taken = _says(lines, at, event)
            at += taken or 1
            if taken:
                break
        else:
            return index, True
    return len(events), False


def _says(lines: list[bytes], at: int, event: Event) -> int:
    """How many lines from `at` on are the event; 0 when it does not start there."""
    line = lines[at]
    words = line.split(b" ")
    match event:
        case Output():
            pane = event.pane_id.encode()
            if words[0] == b"%output" and event.age == 0 and pane == words[1].decode("utf-8", "replace").encode():
                return int(unescape(line.split(b" ", 2)[2] if len(words) > 2 else b"") == event.data)
            if words[0] == b"%extended-output":
                return int(event.data == unescape(line[17:].partition(b" : ")[2]))
            return 0
        case Reply():
            ends = [(b"%end " if event.ok else b"%error ") + line[7:]]
            if words[0] != b"%begin" or words[2:] != [words[2], b"%d" % event.flags] or int(words[2]) != event.number:
                return 0
            end = next(
                (n for n in range(at + 1, len(lines)) if lines[n] in (b"%end " + line[7:], b"%error " + line[7:])), 0
            )
            return end + 1 - at if end and lines[end] in ends and tuple(lines[at + 1 : end]) == event.lines else 0
        case Pause() | Continue():
            word = b"%pause" if isinstance(event, Pause) else b"%continue"
            return int(
                line.partition(b" ")[0] == word and line.partition(b" ")[2].decode("utf-8", "replace") == event.pane_id
            )
        case Exit():
            return int(words[0] == b"%exit" and line.partition(b" ")[2].decode("utf-8", "replace") == event.reason)
        case Notification():
            return int(line.decode("utf-8", "replace") in (f"%{event.name} {event.rest}", f"%{event.name}"))
    return 0


# -------------------------------------------------------------------------------- the real client


class FakeTmux:
    """A host with a tmux that answers with the bytes it is given. Also the channel."""

    host = "fake"
    pid = 4711

    def __init__(self, pieces: list[bytes]) -> None:
        self._answer, self._asked = pieces, 0
        self._bytes: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        return Completed(status=0, stdout=b"1 1 $0\n", stderr=b"")

    def open(self, argv: Sequence[str]) -> FakeTmux:
        self._bytes.put(block(268, [], flags=0))
        return self

    def write(self, data: bytes) -> None:
        if data.startswith(b"display-message -p '#{client_pid}'"):
            self._bytes.put(block(269, [b"4711"]))
        elif data.startswith(b"detach-client"):
            self._bytes.put(b"%exit\n")
            self._bytes.put(b"")  # its end
        elif data.startswith(b"display-message -p "):
            self._asked += 1
            self._bytes.put(block(ASKED_NUMBER + self._asked, [data.split()[-1]]))
        else:
            for piece in self._answer:
                self._bytes.put(piece)

    def read(self) -> bytes:
        return self._bytes.get()

    def close(self) -> None:
        self._bytes.put(b"")


def ask(rng: random.Random) -> tuple[int, bool]:
    """Ask the client something whose answer holds hostile text and a word that nobody could know before.

    Returns whether it was answered, and whether the answer is not the true one. The text may even guess the numbers of
    the block that it will stand in, and of the next; then there may be no answer, and never another.
    """
    word = b"%032x" % rng.getrandbits(128)
    text = rng.choices(LINES, k=rng.randrange(12))
    guesses, cut, ok = rng.random() < 0.3, rng.random() < 0.1, rng.random() < 0.8
    if guesses:
        end = rng.choice((b"%%end %d %d 1", b"%%error %d %d 1")) % (TIME, ASKED_NUMBER)
        begin = b"%%begin %d %d 1" % (TIME, ASKED_NUMBER + 1)
        at = rng.randrange(len(text) + 1)
        text[at:at] = [end, *rng.choice(([], [begin], [begin, b"SENT 1 0", begin.replace(b"begin", b"end")]))]
    true = (*text, word) if ok else (*text, b"can't find pane: %99")
    data = honest_between(rng) + block(ASKED_NUMBER, true, ok=ok) + b"%sessions-changed\n"
    data = data[: -rng.randrange(20, 60)] if cut else data
    pieces, at = [], 0
    while at < len(data):
        size = rng.choice((3, 50, len(data)))
        pieces.append(data[at : at + size])
        at += size
    notified: set[str] = set()
    transport: Any = FakeTmux([*pieces, b""] if cut else pieces)
    client = ControlClient(transport, TmuxAddress(), on_notification=lambda name, rest: notified.add(name))
    client.start(5.0)
    try:
        last = client.converse("capture-pane -p", lambda reply: word.decode() in reply.lines, 0.02 if guesses else 5.0)[
            -1
        ]
    except Unreachable:
        return 0, not (cut or guesses)
    finally:
        client.close()
    if guesses:
        # What it opened itself it may have filled with its own text; but the word is there, or the answer an error.
        return 1, (word.decode() not in last.lines) if ok else last.ok
    lines = tuple(line.decode("utf-8", "replace") for line in true)
    return 1, (last.ok, last.lines) != (ok, lines) or not notified <= {"window-renamed", "sessions-changed"}


def honest_between(rng: random.Random) -> bytes:
    """What may come before an answer: renames, output of a pane, and the blocks of hooks, which are not ours."""
    data = b""
    for number in range(rng.randrange(4)):
        name = rng.choice(LINES).replace(b"\n", b"_")
        data += rng.choice(
            (
                b"%window-renamed @0 " + name + b"\n",
                b"%output %0 " + escaped(name) + b"\n",
                block(280 + number, [name], flags=0),
            )
        )
    return data
