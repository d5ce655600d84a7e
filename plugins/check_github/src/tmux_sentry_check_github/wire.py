"""What GitHub's answers say, read so that no answer can break us: what is missing or of another kind is "", 0 or None.

Fields as in https://docs.github.com/en/rest/actions/workflow-runs and workflow-jobs, API version 2022-11-28.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tmux_sentry_check_github import address

_TEXT = 500  # characters of a text that are kept
_LARGEST = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A workflow run. `attempt` counts re-runs from 1. Times are epoch seconds by GitHub's clock; `over_at` is None
    while it goes on.
    """

    id: int
    number: int = 0
    attempt: int = 1
    status: str = ""
    conclusion: str = ""  # "" for null
    event: str = ""
    branch: str = ""
    sha: str = ""
    title: str = ""
    name: str = ""  # the workflow's
    file: str = ""  # without its folder
    workflow_id: int = 0
    actors: frozenset[str] = frozenset()  # lower case
    created_at: float | None = None
    over_at: float | None = None
    url: str = ""

    @property
    def label(self) -> str:
        """How people know it: deploy.yml #12."""
        again = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.file or self.name or 'run'} #{self.number or self.id}{again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a job."""

    name: str
    status: str
    conclusion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of one attempt of a run."""

    id: int
    name: str
    status: str
    conclusion: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """An environment that a run waits for; `timer` is in minutes, `reviewers` are logins and teams."""

    environment: str
    timer: int
    reviewers: tuple[str, ...]


def run(data: Any) -> Run | None:
    """None where it is no run."""
    if not isinstance(data, Mapping) or (id_ := whole(data, "id")) == 0 or not text(data, "status"):
        return None
    actors = (inner(data, "actor"), inner(data, "triggering_actor"))
    return Run(
        id=id_,
        number=whole(data, "run_number"),
        attempt=max(whole(data, "run_attempt"), 1),
        status=text(data, "status"),
        conclusion=text(data, "conclusion"),
        event=text(data, "event"),
        branch=text(data, "head_branch"),
        sha=text(data, "head_sha").lower(),
        title=text(data, "display_title"),
        name=text(data, "name"),
        # As .github/workflows/deploy.yml, and sometimes with @refs/heads/main behind it.
        file=text(data, "path").partition("@")[0].rpartition("/")[2],
        workflow_id=whole(data, "workflow_id"),
        actors=frozenset(text(actor, "login").lower() for actor in actors) - {""},
        created_at=moment(text(data, "created_at")),
        # A completed run is changed no more, except by a re-run.
        over_at=moment(text(data, "updated_at")) if text(data, "status") == "completed" else None,
        url=_link(data, "html_url"),
    )


def runs(data: Any) -> tuple[Run, ...] | None:
    """The rows of a list of runs; None where it is none."""
    if not isinstance(data, Mapping) or not isinstance(data.get("workflow_runs"), list):
        return None
    return tuple(one for row in rows(data, "workflow_runs") if (one := run(row)) is not None)


def jobs(data: Any) -> tuple[tuple[Job, ...], bool] | None:
    """The jobs, and whether they are all; None where it is no list of jobs."""
    if not isinstance(data, Mapping) or not isinstance(data.get("jobs"), list):
        return None
    found = tuple(
        Job(
            id=whole(row, "id"),
            name=text(row, "name"),
            status=text(row, "status"),
            conclusion=text(row, "conclusion"),
            steps=tuple(
                Step(name=text(step, "name"), status=text(step, "status"), conclusion=text(step, "conclusion"))
                for step in rows(row, "steps")
            ),
        )
        for row in rows(data, "jobs")
    )
    return found, whole(data, "total_count") <= len(found)


def gates(data: Any) -> tuple[Gate, ...] | None:
    """What `pending_deployments` lists; None where it is no list."""
    if not isinstance(data, list):
        return None
    return tuple(
        Gate(
            environment=text(inner(row, "environment"), "name") or "an environment",
            timer=whole(row, "wait_timer"),
            reviewers=tuple(_reviewer(one) for one in rows(row, "reviewers")),
        )
        for row in data
        if isinstance(row, Mapping)
    )


def _reviewer(row: Mapping[str, Any]) -> str:
    who = inner(row, "reviewer")
    return text(who, "login") or text(who, "slug") or text(who, "name") or "somebody"


def _link(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return address.for_people(value) if isinstance(value, str) else ""  # not cut: it would lead elsewhere


def text(data: Mapping[str, Any], key: str) -> str:
    """A text, at most `_TEXT` characters of it."""
    value = data.get(key)
    return value[:_TEXT] if isinstance(value, str) else ""


def whole(data: Mapping[str, Any], key: str) -> int:
    """A number from 0 up."""
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST else 0


def inner(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object in an object."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def rows(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    value = data.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def moment(said: str) -> float | None:
    """Epoch seconds of 2026-11-28T22:15:03Z."""
    try:
        at = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return at.replace(tzinfo=at.tzinfo or timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None
