"""Requests that wait in a real database, behind the desk that pages see: for tests of approval backends with pages."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tmux_sentry.approvals.links import Links
from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.approvals.window import Ports, Window
from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.engine.conductor import Conductor, Step
from tmux_sentry.engine.events import Ask, Send
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.run import Run
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.security.redact import Redactor
from tmux_sentry.state.records import RunNames, StoredApproval
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock

T = TypeVar("T")
#: A day in 2026, in epoch seconds.
NOON = 1_795_339_200.0
TTL = 3600.0


class Office:
    """A desk with requests, and a loop's thread that owns them. `steps` is what was let out, in order.

    `screen` is the last lines of every pane; `resent` lists the requests that a fresh link was asked for.
    """

    def __init__(self, store: Store, clock: FakeClock, secret: str) -> None:
        self.store, self.clock = store, clock
        self.steps: list[Step] = []
        self._asked = 0
        self.resent: list[tuple[str, str]] = []
        self.screen: Sequence[str] = ("$ make test", "342 passed in 61 s", "$")
        self.tokens = Tokens((secret,))
        self._conductor = Conductor(store, clock, Herald(), self.steps.append)
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._loop = threading.Thread(target=self._work, name="loop", daemon=True)
        self._loop.start()
        ports = Ports(
            store=store,
            clock=clock,
            on_loop=self.on_loop,
            decide=self._conductor.decide,
            screen=lambda pane: self.on_loop(lambda: self.screen),
            resend=self._resend,
            redact=Redactor(),
            zone="UTC",
        )
        self.window = Window(ports, self.tokens)

    def on_loop(self, what: Callable[[], T]) -> T:
        """Run on the loop's thread and return what came of it, or raise that."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(what())
            except Exception as error:
                answer.set_exception(error)

        self._inbox.put(run)
        return answer.result(30)

    def ask(self, *sends: str, stage: str = "deploy", **approval: Any) -> StoredApproval:
        """A new request of a Run of its own, to type these; `approval` is what a policy's `require_approval` says."""
        self._asked += 1
        number = self._asked
        actions = [{"send_keys": text} for text in sends or ("make deploy",)]
        built = build_pipeline(
            {
                "name": "webapp-ci",
                "match": {"window_name": "w"},
                "stages": [{"name": stage, "require_approval": approval or True, "actions_on_start": actions}],
            }
        )
        pane = PaneIdentity(
            host="build-1", server_pid=100, server_start=1_795_000_000, pane_id=f"%{number}", pane_pid=number
        )
        run = Run(
            id=f"r{number}", pipeline=built, pane=pane, pane_name="work:agent.0", policy_digest=built.digest,
            started_at=self.clock.now(),
        )  # fmt: skip
        names = RunNames(session_name="work", window_name="agent", window_index=0, pane_index=0)
        self.on_loop(lambda: self._conductor.add(run, names))
        asked = next(effect for effect in self.steps[-1].effects if isinstance(effect, Ask))
        stored = self.store.approval(asked.approval_id)
        assert stored is not None
        return stored

    def links(self, stored: StoredApproval, *recipients: str, channel: str = "chat") -> list[tuple[str, str]]:
        """(token, code) of a link for each recipient by a channel, whether their answer counts or not; without
        recipients, of the one for all. The code is "" unless the risk is high."""
        links = Links(store=self.store, clock=self.clock, tokens=self.tokens, address=str, ttl=TTL)
        lines = [links.line(stored, channel, who) for who in recipients or [""]]
        return [(token, code.removeprefix("code: ")) for token, _, code in (line.partition("\n") for line in lines)]

    def link(self, stored: StoredApproval, recipient: str = "ann") -> str:
        """The token of one recipient's link."""
        return self.links(stored, recipient)[0][0]

    @property
    def typed(self) -> list[str]:
        """Every send that was let out."""
        return [effect.keys.text for step in self.steps for effect in step.effects if isinstance(effect, Send)]

    def dump(self) -> Mapping[str, Sequence[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.store._database.read() as connection:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            return {
                name: [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names
            }

    def close(self) -> None:
        """End the loop's thread."""
        self._inbox.put(None)
        self._loop.join(10)

    def _resend(self, stored: StoredApproval, channel: str) -> None:
        self.resent.append((stored.request.id, channel))

    def _work(self) -> None:
        while (what := self._inbox.get()) is not None:
            what()


@contextmanager
def opened(path: Path, secret: str = "a secret of the tests, long enough") -> Iterator[Office]:
    """An Office on a new database file."""
    clock = FakeClock(NOON)
    with Store.open(path, clock) as store:
        office = Office(store, clock, secret)
        try:
            yield office
        finally:
            office.close()
