"""`docker_container`: a container runs, is healthy, or has ended well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tmux_sentry import CheckRequest, CheckResult, CheckStatus
from tmux_sentry_check_docker.engine import BUDGET, Engine, EngineError
from tmux_sentry_check_docker.events import News
from tmux_sentry_check_docker.places import place
from tmux_sentry_check_docker.readers import items, mapping, moment, number, text, whole
from tmux_sentry_check_docker.state import STATUSES, Container, find, log_tail
from tmux_sentry_check_docker.streams import NoWay

# Docker's own rule for names; an id fits too. It becomes part of a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}", re.ASCII)
#: Seconds that `unhealthy` must last, unless the action says otherwise: many a container recovers from it.
UNHEALTHY = 60.0


class ContainerCheck:
    """A Checker. `seconds` is what one question may take."""

    def __init__(self, settings: Mapping[str, str], seconds: float = BUDGET) -> None:
        self._settings, self._seconds = settings, seconds
        self._news = News("container")

    def open(self, wake: Callable[[], None]) -> None:
        """From now on `wake` is called when an engine that is asked has news."""
        self._news.open(wake)

    def close(self) -> None:
        """Listen no more."""
        self._news.close()

    def check(self, request: CheckRequest) -> CheckResult:
        """Ask once."""
        name = text(request.config.get("name"))
        if not _NAME.fullmatch(name):
            return _is(CheckStatus.UNKNOWN, "`name` is no name of a container, and no id")
        try:
            where = place(request, self._settings)
            self._news.follow(where)
            with Engine(where.dial, self._seconds) as engine:
                found = find(engine, name)
                memory = _remembered(request, found)
                if found is None:
                    return _absent(request, name, where.name, memory)
                status, detail = _judged(request, found, memory)
                detail = f"{name}: {detail}{_replaced(found, memory)}"
                tail = ""
                if status is CheckStatus.FAILURE:
                    tail = found.probe if found.status == "running" else log_tail(engine, found)
                return CheckResult(status=status, detail=detail, log_tail=tail)
        except EngineError as error:
            return error.result()
        except NoWay as error:
            return _is(CheckStatus.UNKNOWN, str(error))


def _is(status: CheckStatus, detail: str) -> CheckResult:
    return CheckResult(status=status, detail=detail)


def _remembered(request: CheckRequest, found: Container | None) -> Mapping[str, Any]:
    """What is known of all looks, this one included: the first, what was seen last, and since when it is unhealthy."""
    old = mapping(request.memory)
    first = mapping(old.get("first"))
    if not all(isinstance(first.get(key), str) for key in ("id", "started", "finished")):
        first = {"id": "", "started": "", "finished": ""}
        if found is not None:
            first = {"id": found.id, "started": found.started, "finished": found.finished}
    known: dict[str, Any] = {"first": first, **{key: text(old.get(key), 64) for key in ("id", "started", "finished")}}
    if found is not None:
        known |= {"id": found.id, "started": found.started, "finished": found.finished}
    if found is not None and found.status == "running" and found.health == "unhealthy":
        same = old.get("id") == found.id and old.get("started") == found.started
        since = number(old.get("unhealthy")) if same else None
        known["unhealthy"] = request.now if since is None else since
    if known != old:
        request.remember(known)
    return {**known, "before": text(old.get("id"), 64)}


def _absent(request: CheckRequest, name: str, where: str, memory: Mapping[str, Any]) -> CheckResult:
    if not memory["id"]:
        return _is(CheckStatus.PENDING, f"there is no container {name} on {where} yet")
    if request.config.get("until") == "exited":
        detail = f"{name} was removed before its exit status was seen: start it without --rm"
        return _is(CheckStatus.UNKNOWN, detail)
    return _is(CheckStatus.PENDING, f"{name} was removed; waiting for another one of that name on {where}")


def _replaced(found: Container, memory: Mapping[str, Any]) -> str:
    before = memory["before"]
    return f"; it has replaced {before[:12]}" if before and before != found.id else ""


def _judged(request: CheckRequest, found: Container, memory: Mapping[str, Any]) -> tuple[CheckStatus, str]:
    """The status, and why."""
    if found.status not in STATUSES:
        return CheckStatus.UNKNOWN, f"Docker calls its state {found.status!r}, which this check does not know"
    if found.status == "paused":
        return CheckStatus.ATTENTION, "it is paused: `docker unpause` lets it go on"
    if found.status == "dead":
        return CheckStatus.ATTENTION, "it is dead: Docker could not remove it; `docker rm -f` tries again"
    if found.status in ("restarting", "removing"):
        return CheckStatus.PENDING, f"it is {found.status}{_code(found)}"
    if found.status == "created":
        if found.error and found.exit_code and _since(request, memory, found, "created"):
            return CheckStatus.FAILURE, f"it could not be started: {found.error}"
        return CheckStatus.PENDING, "it is created and not started"
    if request.config.get("until") == "exited":
        return _ended(request, found, memory)
    if not _since(request, memory, found, "started"):
        did = "runs since before" if found.status == "running" else "ended, and was started before"
        return CheckStatus.PENDING, f"it {did} the stage began ({found.started or 'unknown'}){_hint(request)}"
    if found.status == "exited":
        return CheckStatus.FAILURE, f"it has ended{_code(found)}"
    return _running(request, found, memory)


def _ended(request: CheckRequest, found: Container, memory: Mapping[str, Any]) -> tuple[CheckStatus, str]:
    if found.status == "running":
        return CheckStatus.PENDING, "it runs"
    if not _since(request, memory, found, "finished"):
        when = found.finished or "unknown"
        return CheckStatus.PENDING, f"it ended before the stage began ({when}){_hint(request)}"
    if found.exit_code is None:
        return CheckStatus.UNKNOWN, "it has ended, and Docker does not say with which exit status"
    good = [whole(code) for code in items(request.config.get("exit_codes", [0]))]
    status = CheckStatus.SUCCESS if found.exit_code in good else CheckStatus.FAILURE
    return status, f"it has ended{_code(found)}"


def _running(request: CheckRequest, found: Container, memory: Mapping[str, Any]) -> tuple[CheckStatus, str]:
    until = request.config.get("until")
    if until == "running" or (until is None and not found.health):
        return CheckStatus.SUCCESS, "it runs"
    if not found.health:
        return CheckStatus.ATTENTION, "it has no HEALTHCHECK: give it one, or write `until: running`"
    if found.health == "healthy":
        return CheckStatus.SUCCESS, "it is healthy"
    if found.health == "starting":
        return CheckStatus.PENDING, "its health check is starting"
    if found.health != "unhealthy":
        return CheckStatus.UNKNOWN, f"Docker calls its health {found.health!r}, which this check does not know"
    patience = number(request.config.get("unhealthy_seconds", UNHEALTHY))
    lasted = request.now - memory["unhealthy"]
    if patience is not None and lasted >= patience:
        return CheckStatus.FAILURE, f"it is unhealthy, for {lasted:.0f} s now"
    return CheckStatus.PENDING, "it is unhealthy; it may recover"


def _since(request: CheckRequest, memory: Mapping[str, Any], found: Container, what: str) -> bool:
    """Whether it was created, started or finished since the stage began.

    By its time, where the clocks of both machines agree; and, whatever they say, when it is not what the first look
    of this check has seen, since that was in the stage. Not when an earlier check of the run has seen it.
    """
    if request.config.get("since_stage", True) is False:
        return True
    if any(_seen(mapping(one), found, what) for one in request.earlier):
        return False
    at = moment({"created": found.created, "started": found.started, "finished": found.finished}[what])
    if at is not None and at >= request.started_at:
        return True
    first = mapping(memory["first"])
    if first.get("id") != found.id:
        return True
    return what != "created" and first.get(what) != getattr(found, what)


def _seen(memory: Mapping[str, Any], found: Container, what: str) -> bool:
    """Whether what another check remembers is this container, as it was created, started or finished last."""
    return memory.get("id") == found.id and (what == "created" or memory.get(what) == getattr(found, what))


def _hint(request: CheckRequest) -> str:
    return "; `since_stage: false` counts it all the same"


def _code(found: Container) -> str:
    said = f" with exit status {found.exit_code}" if found.exit_code is not None and found.status != "removing" else ""
    said += ", out of memory" if found.out_of_memory else ""
    return said + (f" ({found.error})" if found.error else "")
