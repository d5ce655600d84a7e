"""A container as the engine describes it, read with care."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tmux_sentry_check_docker.engine import Engine, EngineError
from tmux_sentry_check_docker.logs import lines_of
from tmux_sentry_check_docker.readers import items, last_lines, mapping, moment, text, whole

_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What counts of a container. Times are as the engine writes them, "" for none."""

    id: str
    status: str
    created: str = ""
    started: str = ""
    finished: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    error: str = ""
    health: str = ""  # "" without a HEALTHCHECK
    probe: str = ""  # what the last health check printed
    tty: bool = False

    @property
    def short(self) -> str:
        """The id as `docker ps` shows it."""
        return self.id[:12]


def find(engine: Engine, name: str) -> Container | None:
    """The container of that name or id; None when there is none. Raises EngineError."""
    reply = engine.get(f"/containers/{name}/json")
    if reply.status == 404 and "no such container" in reply.message.lower():
        return None
    if reply.status != 200:
        raise reply.error()
    found = read(reply.object)
    if found is None:
        raise EngineError("what answers describes no container: is that Docker?")
    return found


def read(described: Any) -> Container | None:
    """The answer of `/containers/{id}/json`; None when it describes none."""
    data = mapping(described)
    state, config = mapping(data.get("State")), mapping(data.get("Config"))
    health = mapping(state.get("Health"))
    id_, status = text(data.get("Id"), 100), text(state.get("Status"), 40)
    if not _ID.fullmatch(id_) or not status:
        return None
    checked = text(health.get("Status"), 40)
    probes = [mapping(one) for one in items(health.get("Log"))[-1:]]
    return Container(
        id=id_,
        status=status,
        created=_time(data.get("Created")),
        started=_time(state.get("StartedAt")),
        finished=_time(state.get("FinishedAt")),
        exit_code=whole(state.get("ExitCode")),
        out_of_memory=state.get("OOMKilled") is True,
        error=text(state.get("Error"), 300),
        health="" if checked == "none" else checked,  # "none": there is no health check
        probe=last_lines(text(probes[0].get("Output"), 8000)) if probes else "",
        tty=config.get("Tty") is True,
    )


def log_tail(engine: Engine, container: Container) -> str:
    """The last lines that it wrote; "" when they cannot be had: the answer stands without them."""
    query = {"stdout": "1", "stderr": "1", "tail": "40"}
    try:
        reply = engine.get(f"/containers/{container.id}/logs", query)
    except EngineError:
        return ""
    return last_lines(lines_of(reply.body, tty=container.tty)) if reply.status == 200 else ""


def _time(value: object) -> str:
    """A time as it was written, if it is one."""
    return text(value, 64) if moment(text(value, 64)) is not None else ""
