"""Samples for tests: texts that break programs which trust them, and records that carry such a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tmux_sentry.contracts import (
    ApprovalRequest,
    CheckRequest,
    Emitted,
    Level,
    Lines,
    Message,
    Observation,
    Osc,
    PaneClosed,
    PaneFacts,
    PaneIdentity,
    Screen,
    TextSource,
    Title,
)

PANE = PaneIdentity(host="here", server_pid=100, server_start=1_700_000_000, pane_id="%1", pane_pid=200)
AT = 1_700_000_000.0  # epoch seconds

HOSTILE_TEXTS = (
    "",
    " ",
    "\x00",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]52;c;ZXZpbA==\x07",
    "\x1b[",  # a sequence that never ends
    "\x1b]" + "A" * 5000,
    "\x9b31m C1 \x90q\x9c",
    "a\rb\x08c\x7f",
    "line\nbreak\r\nand\ttab\x0b\x0c\x85\u2028\u2029",
    "\u202egnp.exe\u202c \u2066isolate\u2069 zero\u200bwidth \ufeff",
    "\ud800 lone surrogate \udfff",
    "e" + "\u0301" * 200,
    "构建完成 ✅ 👩‍👩‍👧‍👦",
    "[bold red]markup[/] [/] [link=file:///etc/passwd]x[/link] :boom:",
    "%s %n {0} {x!r} ${HOME} $(id) `id` #{pane_id} #(id) ; rm -rf /",
    "<script>alert(1)</script> & <!channel> <@U1> @everyone",
    "../../etc/passwd",
    '{"type":"STATUS","stage":"build","ok":true}',
    '### SENTRY {"type":"STATUS","ok":',
    "@@SENTRY " + "[" * 20_000,
    "@@SENTRY " + '{"a":' * 20_000,
    '@@SENTRY {"type":"STATUS","ok":1e999,"percent":NaN,"stage":null}',
    '@@SENTRY {"type":["STATUS"],"stage":{"a":1},"ok":"yes","message":7,"id":[],"seq":-1}',
    '@@SENTRY deadbeef 99999999999999999999 {"type":"DONE"}',
    "A" * 200_000,
    "\\" * 5000 + '"' * 5000,
)


def pane_facts() -> Iterator[PaneFacts]:
    """What a parser may know about the pane, from nothing to a lot."""
    for source in TextSource:
        yield PaneFacts(identity=PANE, source=source)
        yield PaneFacts(identity=PANE, source=source, agent="claude", width=1, typed=HOSTILE_TEXTS)


def observations(text: str) -> Iterator[Observation]:
    """`text` in every way in which a pane can bring it."""
    lines = tuple(text.split("\n"))
    yield Lines(pane=PANE, at=AT, lines=lines, before=lines)
    yield Lines(pane=PANE, at=AT, lines=())
    yield Screen(pane=PANE, at=AT, lines=lines, cursor=(0, 0))
    yield Screen(pane=PANE, at=AT, lines=lines, cursor=(999, 999), resync=True)
    yield Title(pane=PANE, at=AT, title=text)
    for number in (9, 133, 777, 7501):
        yield Osc(pane=PANE, at=AT, number=number, text=text)
    yield Emitted(pane=PANE, at=AT, text=text, entry="%1:1:e30")
    yield PaneClosed(pane=PANE, at=AT, status=None)


def message(id_: str, text: str, level: Level) -> Message:
    """A Message that says `text` in every place."""
    return Message(id=id_, at=AT, level=level, event="stage.failed", title=text, text=text, fields={"pane": text})


def check_request(config: Mapping[str, Any], **more: Any) -> CheckRequest:
    """A question of a stage that has just begun; what a checker remembers is forgotten unless `remember` is given."""
    return CheckRequest(config=config, **{"started_at": AT, "now": AT + 1.0, **more})


def approval_request(id_: str, text: str) -> ApprovalRequest:
    """A request that says `text` in every place."""
    return ApprovalRequest(
        id=id_,
        run_id="run",
        pipeline=text,
        stage=text,
        attempt=1,
        pane=PANE,
        pane_name=text,
        keys=(text,),
        digest="0" * 64,
        created_at=AT,
        expires_at=AT + 3600,
        reason=text,
        about=(text,),
    )
