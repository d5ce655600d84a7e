"""One approval backend on a thread of its own: its calls stay in order, and a hanging one holds up nobody else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tmux_sentry.contracts import ApprovalBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call of a backend. Its result, or what it raised, is in `future`."""

    backend: str
    kind: Literal["open", "poll", "close", "serve", "stop"]
    request_id: str
    call: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class Worker:
    """Runs a backend's jobs one after the other. The thread is a daemon: a hung call must not block the exit."""

    def __init__(self, name: str, backend: ApprovalBackend) -> None:
        self.name = name
        self.backend = backend
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._busy_since: float | None = None
        threading.Thread(target=self._work, name=f"approval {name}", daemon=True).start()

    def submit(self, job: Job) -> None:
        """Queue a call."""
        self._jobs.put(job)

    def busy_for(self) -> float:
        """How many seconds the call in hand has taken so far; 0 when there is none."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def stop(self) -> None:
        """End the thread after the calls that are queued."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._busy_since = time.monotonic()
            try:
                result = job.call()
            except BaseException as error:  # a plugin's SystemExit too: this thread must go on
                self._busy_since = None
                job.future.set_exception(error)
            else:
                self._busy_since = None
                job.future.set_result(result)
