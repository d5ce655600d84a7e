"""The text of a request file, and what a person's edit of it means. Plain functions, no files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from tmux_sentry import ApprovalRequest, clean, file_part, visible

#: none: only our own lines. empty: nothing at all, as just after `> FILE`. partial: may still become a word.
Kind = Literal["none", "empty", "partial", "approve", "reject", "wrong"]

_NEWLINE = re.compile(r"\r\n|\n|\r")
_DIGEST = re.compile(r"^# digest: +([0-9a-f]+)\s*$", re.MULTILINE)
_HOW = "write one word: approve, or reject and a reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a file says. `text` is the reason of a rejection, or what is wrong.

    `ended` is true when a newline follows the answer: then its writer was done with it.
    """

    kind: Kind
    text: str = ""
    ended: bool = True
    digest: str | None = None  # of the request that the file still shows


def file_name(request: ApprovalRequest) -> str:
    """`<pane>__<stage>__<id>.txt`; no part has a double underscore, a slash or a leading dot of its own."""
    return f"{file_part(request.pane_name)}__{file_part(request.stage)}__{file_part(request.id)}.txt"


def request_text(request: ApprovalRequest, path: Path) -> str:
    """What the file shows; every line is a comment, so that it is no answer to itself."""
    where = shlex.quote(str(path))
    asks = "may the agent's dialog be answered with yes" if request.about else f"may stage {clean(request.stage)} go on"
    lines = [
        f"{clean(request.pipeline)}: {asks} in pane {clean(request.pane_name)}?",
        "",
        f"To answer:  echo approve > {where}",
        f"       or:  echo 'reject because ...' > {where}",
        "       or:  add such a line below and save.",
        "",
        *_dialog(request),
        "What will be typed, in this order (a backslash writes what cannot be seen):",
        *(f"  {number}. {visible(keys)}" for number, keys in enumerate(request.keys, start=1)),
        *([] if request.keys else ["  nothing"]),
        "",
        f"pane:    {clean(request.pane.pane_id)} on {clean(request.pane.host)}, process {request.pane.pane_pid}",
        f"stage:   {clean(request.stage)}, attempt {request.attempt}, risk {clean(request.risk)}",
        *([f"reason:  {clean(request.reason)}"] if request.reason else []),
        f"run:     {clean(request.run_id)}",
        f"request: {clean(request.id)}",
        f"asked:   {_utc(request.created_at)}",
        f"until:   {_utc(request.expires_at)}",
        f"digest: {clean(request.digest)}",
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _dialog(request: ApprovalRequest) -> list[str]:
    lines = [f"  {visible(line)}" for line in request.about]
    return ["The agent's dialog (a backslash writes what cannot be seen):", *lines, ""] if lines else []


def decided_text(shown: str, raw: bytes, outcome: str, at: float) -> str:
    """The record of a decided request: what was shown, what was in the file, and the outcome as the last line."""
    written = [line for line in _NEWLINE.split(raw.decode("utf-8", "replace")) if not line.startswith("#")]
    answer = [f"# answer: {visible(line, 500)}\n" for line in written if line.strip()]
    return f"{shown}{''.join(answer[:20])}# outcome: {clean(outcome)} at {_utc(at)}\n"


def outcome_of(decided: str) -> str | None:
    """The outcome that `decided_text` wrote down, if it is there."""
    last = decided.rstrip("\n").rpartition("\n")[2]
    return last.removeprefix("# outcome: ") if last.startswith("# outcome: ") else None


def read_answer(raw: bytes) -> Answer:
    """What the content of a request file means."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Answer(kind="wrong", text=f"it is not UTF-8 text; {_HOW}", ended=raw.endswith(b"\n"))
    lines = _NEWLINE.split(text)
    shown = _DIGEST.search(text)
    digest = shown.group(1) if shown else None
    places = [n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    if not places:
        return Answer(kind="none" if text.strip() else "empty", digest=digest)
    ended = places[-1] < len(lines) - 1
    if len(places) > 1:
        return Answer(kind="wrong", text=f"it holds {len(places)} lines of its own; {_HOW}", ended=ended, digest=digest)
    kind, said = _word(lines[places[0]].strip(), ended)
    return Answer(kind=kind, text=said, ended=ended, digest=digest)


def _word(line: str, ended: bool) -> tuple[Kind, str]:
    word, *others = line.split(maxsplit=1)
    word, rest = word.casefold(), "".join(others)
    if word == "approve" and not rest:
        return "approve", ""
    if word in ("reject", "reject:"):
        return "reject", clean(rest)
    if not ended and not rest and ("approve".startswith(word) or "reject".startswith(word)):
        return "partial", f"it holds only {visible(word, 40)!r}; {_HOW}"
    return "wrong", f"it holds {visible(line, 80)!r}; {_HOW}"


def _utc(epoch_seconds: float) -> str:
    return f"{datetime.fromtimestamp(epoch_seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
