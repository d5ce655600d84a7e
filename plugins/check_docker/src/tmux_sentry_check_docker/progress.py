"""What BuildKit says about a build: lines of JSON as `--progress=rawjson` and `history logs` print them.

Each line is a SolveStatus {vertexes, statuses, logs, warnings}. A vertex (a step) comes again whenever it changes and
is known by its digest; the bytes of logs are base64.
https://github.com/moby/buildkit/blob/master/client/graph.go (2026-11)
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from tmux_sentry_check_docker.readers import items, last_lines, mapping, moment, parsed, text

#: Steps that are kept, and bytes of each one's log: a build has some dozens.
MOST, LOG = 2000, 8 * 1024
# Their errors do not fail a build: a cache that cannot be read or written is done without.
_HARMLESS = ("importing cache", "exporting cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A vertex. Times are epoch seconds."""

    name: str
    started: float | None
    completed: float | None
    error: str

    @property
    def failed(self) -> bool:
        """Whether the build fails by it. Steps beside one that failed are canceled: their error says nothing."""
        harmless = self.name.startswith(_HARMLESS) or "context canceled" in self.error
        return bool(self.error) and not harmless and self.at is not None

    @property
    def at(self) -> float | None:
        """When it began, or else ended."""
        return self.started if self.started is not None else self.completed


class Progress:
    """The steps of a build as far as they are known. A step that began before `since` (epoch seconds) is not its."""

    def __init__(self, data: bytes, since: float = 0.0) -> None:
        self._steps: dict[str, Step] = {}
        self._logs: dict[str, bytes] = {}
        self.other: list[str] = []  # lines that are none: what buildx itself says
        for line in data.split(b"\n"):
            self._feed(line)
        self._drop(since)

    def _feed(self, line: bytes) -> None:
        said = parsed(line) if line.lstrip()[:1] == b"{" else None
        if not isinstance(said, dict):
            if line.strip() and len(self.other) < MOST:
                self.other.append(line[:500].decode("utf-8", "replace"))
            return
        for one in map(mapping, items(said.get("vertexes"))):
            digest = text(one.get("digest"), 100)
            if digest and (digest in self._steps or len(self._steps) < MOST):
                self._steps[digest] = Step(
                    name=text(one.get("name")),
                    started=moment(one.get("started")),
                    completed=moment(one.get("completed")),
                    error=text(one.get("error"), 2000),
                )
        for one in map(mapping, items(said.get("logs"))):
            digest = text(one.get("vertex"), 100)
            if digest and (digest in self._logs or len(self._logs) < MOST):
                self._logs[digest] = (self._logs.get(digest, b"") + _decoded(one.get("data")))[-LOG:]

    def _drop(self, since: float) -> None:
        """Forget what is older. Steps without a time belong to the others: where all of those are old, so are they."""
        timed = [step.at for step in self._steps.values() if step.at is not None]
        if timed and max(timed) < since:
            self._steps.clear()
        self._steps = {key: step for key, step in self._steps.items() if step.at is None or step.at >= since}

    @property
    def total(self) -> int:
        """Steps that are known: more come while the build goes on."""
        return len(self._steps)

    @property
    def done(self) -> int:
        """Steps that have ended well."""
        return sum(step.completed is not None and not step.error for step in self._steps.values())

    @property
    def percent(self) -> float | None:
        """How many of the known steps are done; it falls when more become known."""
        return 100.0 * self.done / self.total if self.total else None

    @property
    def failed(self) -> Step | None:
        """The step by which the build fails; None while there is none."""
        return next((step for step in self._steps.values() if step.failed), None)

    @property
    def log_tail(self) -> str:
        """The end of the log of the step that failed, and its error."""
        for digest, step in self._steps.items():
            if step.failed:
                written = self._logs.get(digest, b"").decode("utf-8", "replace").rstrip()
                return last_lines("\n".join(part for part in (step.name, written, step.error) if part))
        return ""


def _decoded(data: object) -> bytes:
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""
