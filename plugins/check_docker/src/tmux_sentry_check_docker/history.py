"""The builds that BuildKit remembers, by `docker buildx history`: also those that somebody else started."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tmux_sentry import Completed, HostAccess, clean
from tmux_sentry_check_docker.programs import NOT_FOUND
from tmux_sentry_check_docker.progress import Progress
from tmux_sentry_check_docker.readers import last_lines, mapping, moment, parsed, text, whole
from tmux_sentry_check_docker.streams import no_docker

#: Seconds for one program: buildx asks every node of a builder.
PATIENCE = 20.0
#: Bytes of what a program wrote that are looked at, from its end, and lines of a list: buildx itself lists 50 a node.
MOST, LINES = 4 * 1024 * 1024, 2000
# Builder, node and the record's own name. It becomes an argument: never an option, never anything else than a name.
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*){0,2}", re.ASCII)
BUILDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}", re.ASCII)


class NoHistory(Exception):
    """Nobody can tell which builds there are; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A record: `status` is Running, Completed or Error; times are epoch seconds."""

    ref: str
    name: str
    status: str
    created: float
    total: int | None = None
    done: int | None = None
    cached: int | None = None

    @property
    def percent(self) -> float | None:
        """How many of the known steps are done; it falls when more become known."""
        if not self.total or self.done is None or self.total < 0 or self.done < 0:
            return None
        return min(100.0 * self.done / self.total, 100.0)

    @property
    def shown(self) -> str:
        """For people: its name, and the id that `docker buildx history ls` shows."""
        return f"{self.name or 'a build without a name'} ({self.id[:12]})"

    @property
    def id(self) -> str:
        """The last part of the ref: what the other commands of `history` take."""
        return self.ref.rpartition("/")[2]


def builds(machine: HostAccess, builder: str) -> list[Build]:
    """Every build that is remembered. Raises NoHistory."""
    done = _run(machine, [*_buildx(builder), "ls", "--format", "json"])
    if done.status != 0:
        raise NoHistory(_why(machine, done))
    # One object a line. The reference page shows an array with other names; that is not what the program prints.
    rows = [parsed(line) for line in done.stdout[-MOST:].split(b"\n")[:LINES] if line.strip()]
    found = [build for build in map(_read, rows) if build is not None]
    if rows and not found:
        raise NoHistory("`docker buildx history ls --format json` prints something else than builds: update buildx")
    return found


def log_tail(machine: HostAccess, builder: str, build: Build) -> str:
    """The end of the log of the step that failed; "" when it cannot be had: the answer stands without it."""
    try:
        done = _run(machine, [*_buildx(builder), "logs", "--progress", "rawjson", build.id])
    except NoHistory:
        return ""
    # The log comes on stderr, as a build's own progress does.
    progress = Progress(done.stderr[-MOST:] + b"\n" + done.stdout[-MOST:])
    return progress.log_tail or last_lines("\n".join(progress.other))


def _buildx(builder: str) -> list[str]:
    return ["docker", "buildx", *(["--builder", builder] if builder else []), "history"]


def _run(machine: HostAccess, argv: Sequence[str]) -> Completed:
    try:
        return machine.run(argv, timeout=PATIENCE)
    except OSError as error:
        said = clean(str(error), 200) or type(error).__name__
        raise NoHistory(f"docker on {clean(machine.name, 60)}: {said}") from None


def _why(machine: HostAccess, done: Completed) -> str:
    """What a program that failed says, and what to do about it."""
    name = clean(machine.name, 60)
    if done.status == NOT_FOUND:
        return no_docker(name)
    said = [line for line in done.stderr[:8000].decode("utf-8", "replace").splitlines() if line.strip()]
    first = clean(said[0], 200) if said else f"exit status {done.status}"
    # Without the plugin, docker takes the word, or one of its options, for a mistake of its own.
    if any(words in first for words in ("unknown command", "unknown flag", "is not a docker command")):
        return f"docker on {name} has no `buildx history` ({first}): install or update the buildx plugin"
    return f"docker on {name}: {first}"


def _read(row: Any) -> Build | None:
    data = mapping(row)
    ref, created = text(data.get("ref"), 400), moment(data.get("created_at"))
    if not _REF.fullmatch(ref) or created is None:
        return None
    return Build(
        ref=ref,
        name=text(data.get("name"), 200),
        status=text(data.get("status"), 40),
        created=created,
        total=whole(data.get("total_steps")),
        done=whole(data.get("completed_steps")),
        cached=whole(data.get("cached_steps")),
    )
