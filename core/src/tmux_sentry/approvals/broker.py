"""Shows requests on every approval backend and collects the answers. What counts is decided by the store, not here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tmux_sentry.approvals.worker import Job, Worker
from tmux_sentry.clock import Clock
from tmux_sentry.contracts import ApprovalBackend, ApprovalDesk, ApprovalRequest, Complaint, Decision
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

#: Seconds after which a call that failed (a full disk, a server that is down) is made again.
RETRY_AFTER = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where people can see a request (backend -> path or URL), and which backends are in trouble."""

    places: Mapping[str, str]
    complaints: Sequence[Complaint]


class Broker:
    """Use it from one thread. No method raises for what a backend does, or waits much longer than `timeout` seconds."""

    def __init__(self, backends: Mapping[str, ApprovalBackend], clock: Clock, *, timeout: float = 5.0) -> None:
        self._workers = {name: Worker(name, backend) for name, backend in backends.items()}
        self._clock = clock
        self._timeout = timeout
        self._open: dict[str, ApprovalRequest] = {}
        self._places: dict[str, dict[str, str]] = {}
        self._running: list[Job] = []
        self._again: list[tuple[float, Job]] = []
        self._told: dict[tuple[str, str], str] = {}

    def open(self, request: ApprovalRequest) -> Shown:
        """Show a request on every backend. One that fails is tried again later, by `poll`."""
        self._open[request.id] = request
        self._places[request.id] = {}
        jobs = [self._submit(worker, "open", request.id, partial(worker.backend.open, request)) for worker in self._all]
        complaints = [item for item in self._wait(jobs, self._timeout) if isinstance(item, Complaint)]
        return Shown(places=self.places(request.id), complaints=complaints)

    def reopen(self, requests: Sequence[ApprovalRequest]) -> Sequence[Complaint]:
        """Show again, after a restart, what still waits; `places` tells where."""
        return [complaint for request in requests for complaint in self.open(request).complaints]

    def places(self, request_id: str) -> Mapping[str, str]:
        """Where an open request is shown now: backend -> path or URL."""
        return dict(self._places.get(request_id, {}))

    def poll(self, patience: float = 0.2) -> Sequence[Decision | Complaint]:
        """Answers and complaints since the last call; waits at most `patience` seconds, late ones come next time."""
        asked = {job.backend for job in self._running if job.kind == "poll"}
        for worker in self._all:
            if worker.name not in asked:
                self._submit(worker, "poll", "", worker.backend.poll)
        now = self._clock.monotonic()
        due = [job for at, job in self._again if at <= now]
        self._again = [(at, job) for at, job in self._again if at > now]
        for job in due:
            if job.kind != "open" or job.request_id in self._open:
                self._submit(self._workers[job.backend], job.kind, job.request_id, job.call)
        return self._wait([job for job in self._running if job.kind == "poll"], patience)

    def close(self, request: ApprovalRequest, outcome: str) -> Sequence[Complaint | Decision]:
        """Tell every backend what became of a request; returns what was said meanwhile, like `poll`."""
        self._open.pop(request.id, None)
        self._places.pop(request.id, None)
        jobs = [
            self._submit(worker, "close", request.id, partial(worker.backend.close, request, outcome))
            for worker in self._all
        ]
        return self._wait(jobs, self._timeout)

    def serve(self, desk: ApprovalDesk) -> Sequence[Complaint]:
        """Let the backends with pages begin."""
        serving = [worker for worker in self._all if hasattr(worker.backend, "serve")]
        jobs = [self._submit(worker, "serve", "", partial(worker.backend.serve, desk)) for worker in serving]  # type: ignore[attr-defined]
        return [item for item in self._wait(jobs, self._timeout) if isinstance(item, Complaint)]

    def address(self, token: str) -> str:
        """The page of a token; "" when no backend has one. From any thread."""
        for worker in self._all:
            link = getattr(worker.backend, "link", None)
            try:
                if link is not None and (found := str(link(token))):
                    return found
            except Exception as error:  # a plugin's fault takes the link away, not the message
                log.warning("approval backend %s: %s", worker.name, clean(f"{type(error).__name__}: {error}"))
        return ""

    def stop(self) -> None:
        """Let the backends end when they have done what they were told."""
        jobs = []
        for worker in self._all:
            if (end := getattr(worker.backend, "stop", None)) is not None:
                jobs.append(self._submit(worker, "stop", "", end))
            worker.stop()
        self._wait(jobs, self._timeout)

    @property
    def _all(self) -> Sequence[Worker]:
        return list(self._workers.values())

    def _submit(self, worker: Worker, kind: Any, request_id: str, call: Callable[[], Any]) -> Job:
        job = Job(backend=worker.name, kind=kind, request_id=request_id, call=call)
        self._running.append(job)
        worker.submit(job)
        return job

    def _wait(self, jobs: Sequence[Job], timeout: float) -> list[Decision | Complaint]:
        """Wait for `jobs`, but not for a backend that already hangs; then collect whatever has ended."""
        worth = [job.future for job in jobs if self._workers[job.backend].busy_for() < self._timeout]
        wait(worth, timeout)
        ended = [job for job in self._running if job.future.done()]
        self._running = [job for job in self._running if not job.future.done()]
        found = [item for job in ended for item in self._collect(job)]
        for worker in self._all:
            if worker.busy_for() >= self._timeout:
                found += self._tell(
                    worker.name, "hang", f"it has not answered for {self._timeout:g} s; the others go on"
                )
            else:
                self._told.pop((worker.name, "hang"), None)
        return found

    def _collect(self, job: Job) -> list[Decision | Complaint]:
        error = job.future.exception()
        if error is not None:
            if job.kind in ("open", "close", "serve"):
                self._again.append((self._clock.monotonic() + RETRY_AFTER, job))
            return self._tell(job.backend, job.kind, f"{job.kind} failed: {type(error).__name__}: {error}")
        self._told.pop((job.backend, job.kind), None)
        if job.kind == "open" and job.request_id in self._open:
            self._places[job.request_id][job.backend] = str(job.future.result())
        return self._answers(job) if job.kind == "poll" else []

    def _answers(self, job: Job) -> list[Decision | Complaint]:
        try:
            items = list(job.future.result())
        except TypeError:
            items = [job.future.result()]
        found: list[Decision | Complaint] = []
        for item in items:
            if isinstance(item, Decision):
                # A backend speaks for itself only.
                found.append(replace(item, channel=job.backend))
            elif isinstance(item, Complaint):
                found.append(item)
            else:
                found += self._tell(job.backend, "answer", f"its answer is a {type(item).__name__}, not a Decision")
        return found

    def _tell(self, name: str, about: str, why: str) -> list[Decision | Complaint]:
        """Complain, unless the same trouble was told and has not ended since."""
        if self._told.get((name, about)) == why:
            return []
        self._told[name, about] = why
        return [Complaint(where=f"approval backend {clean(name)}", why=clean(why))]
