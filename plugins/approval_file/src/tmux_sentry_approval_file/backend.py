"""Asks people by files: one file a request; its new content is the answer."""

from __future__ import annotations

import pwd
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmux_sentry import ApprovalRequest, Complaint, Decision, clean
from tmux_sentry_approval_file.folder import Content, Folder, Unsafe
from tmux_sentry_approval_file.text import decided_text, file_name, outcome_of, read_answer, request_text

DECIDED = "decided"
#: Seconds for which half a word, an empty file or a file that is gone may be somebody's editor at work.
PATIENCE = 10.0
_ANSWER_LIMIT = 4096
_RECORD_LIMIT = 1 << 20
_STRANGERS = 20
_MANY = "*"


@dataclass(slots=True)
class _Watch:
    """An open request and what its file held at the last poll."""

    request: ApprovalRequest
    text: str
    raw: bytes | None = None
    since: float = 0.0  # when it was first seen to hold that
    gone_since: float | None = None
    handled: bytes | None = None  # content that was answered for already: passed on, or complained about


class FileApprovals:
    """The `file` backend. `directory` is made (0700) when it is missing; `now` tells epoch seconds."""

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._now = now
        self._open: dict[str, _Watch] = {}
        self._told: dict[str, object] = {}

    def open(self, request: ApprovalRequest) -> str:
        """Write the request's file, or find the one of an earlier start, with its answer; returns its path."""
        name = file_name(request)
        path = self._directory / name
        if name not in self._open:
            watch = _Watch(request, request_text(request, path))
            with self._folder() as folder:
                folder.create(name, watch.text)
            self._open[name] = watch
        return str(path)

    def poll(self) -> Sequence[Decision | Complaint]:
        """Answers and complaints since the last call."""
        if not self._open and not self._directory.exists():
            return []
        try:
            with Folder(self._directory) as folder:
                return list(self._look(folder))
        except FileNotFoundError:
            return self._tell("", "gone", f"{self._directory} is gone; it comes back with the next request", None)
        except Unsafe as error:
            return self._tell("", str(error), str(error), None)

    def close(self, request: ApprovalRequest, outcome: str) -> None:
        """Move the request's file to `decided/`, with the outcome as its last line."""
        name = file_name(request)
        watch = self._open.get(name)
        text = watch.text if watch else request_text(request, self._directory / name)
        with self._folder() as folder, folder.sub(DECIDED) as decided:
            if watch is None and _outcome(decided, name) is not None:
                return
            # Moved first: an edit from now on makes a new file, and is told, not lost.
            folder.move(name, decided)
            decided.replace(name, decided_text(text, _read(decided, name), outcome, self._now()))
        self._open.pop(name, None)

    def _folder(self) -> Folder:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Folder(self._directory)

    def _look(self, folder: Folder) -> Iterator[Decision | Complaint]:
        names = folder.names()
        # What is not there any more may be told anew; "" is a complaint about the directory, which is fine now.
        self._told = {name: what for name, what in self._told.items() if name in (*names, *self._open, _MANY)}
        for name, watch in self._open.items():
            try:
                found = folder.read(name, len(watch.text.encode("utf-8", "replace")) + _ANSWER_LIMIT)
            except FileNotFoundError:
                yield from self._gone(name, watch)
            except Unsafe as error:
                yield from self._tell(name, str(error), str(error), watch.request.id)
            else:
                watch.gone_since = None
                yield from self._answer(name, watch, found)
        strangers = [name for name in names if name not in self._open and name != DECIDED]
        if len(strangers) > _STRANGERS:
            why = f"{len(strangers)} unknown files in approvals/; none of them counts as an answer"
            yield from self._tell(_MANY, "many", why, None)
            return
        for name in strangers:
            yield from self._stranger(folder, name)

    def _answer(self, name: str, watch: _Watch, found: Content) -> Iterator[Decision | Complaint]:
        if found.raw == watch.handled:
            return
        stable = found.raw == watch.raw
        if not stable:
            watch.raw, watch.since = found.raw, self._now()
        answer = read_answer(found.raw)
        if answer.kind == "none":
            return
        waited = self._now() - watch.since >= PATIENCE
        # Without its newline an answer may be half written: the same content twice shows that it is not.
        if (answer.kind in ("empty", "partial") and not waited) or not (answer.ended or stable):
            return
        watch.handled = found.raw
        request = watch.request
        if answer.digest not in (None, request.digest):
            why = (
                f"{clean(name)} shows another request (digest {answer.digest}); its answer does not count for this one"
            )
            yield from self._tell(name, found.raw, why, request.id)
        elif answer.kind in ("approve", "reject"):
            yield Decision(
                request_id=request.id,
                approved=answer.kind == "approve",
                by=_user(found.uid),
                channel="file",
                at=self._now(),
                comment=answer.text,
                known="owner of the file",
            )
        else:
            why = answer.text or "it is empty; write one word: approve, or reject and a reason"
            yield from self._tell(name, found.raw, f"{clean(name)}: {why}", request.id)

    def _gone(self, name: str, watch: _Watch) -> Iterator[Complaint]:
        watch.gone_since = watch.gone_since or self._now()
        if self._now() - watch.gone_since >= PATIENCE:
            why = f"{clean(name)} is gone and its request still waits; write it again, or use `tmux-sentry approve`"
            yield from self._tell(name, "gone", why, watch.request.id)

    def _stranger(self, folder: Folder, name: str) -> Iterator[Complaint]:
        try:
            changed: object = folder.read(name, _RECORD_LIMIT).changed_ns
        except FileNotFoundError:
            return
        except Unsafe as error:
            changed = str(error)
        with folder.sub(DECIDED) as decided:
            outcome = _outcome(decided, name)
        if outcome is None:
            why = f"an unknown file in approvals/: {clean(name)}; no request waits under this name"
            yield from self._tell(name, "unknown", why, None)
        else:
            why = f"{clean(name)} is already decided: {clean(outcome)}; your edit has no effect"
            yield from self._tell(name, changed, why, name.removesuffix(".txt").rpartition("__")[2])

    def _tell(self, name: str, what: object, why: str, request_id: str | None) -> list[Complaint]:
        """Complain, unless the same was the last complaint about this file."""
        if self._told.get(name) == what:
            return []
        self._told[name] = what
        return [Complaint(where=clean(str(self._directory / name)), why=why, request_id=request_id)]


def _read(folder: Folder, name: str) -> bytes:
    try:
        return folder.read(name, _RECORD_LIMIT).raw
    except (FileNotFoundError, Unsafe):
        return b""


def _outcome(decided: Folder, name: str) -> str | None:
    return outcome_of(_read(decided, name).decode("utf-8", "replace"))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
