"""One run of the simulation: a seed and a size, everything that happens, and the audit at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from simulated.faults import Rates
from simulated.ledger import Broken, Ledger
from simulated.people import People
from simulated.process import Process, Worker
from simulated.schedule import Schedule
from simulated.tmux import Pane, Server
from tmux_sentry.contracts import AgentState, PaneIdentity
from tmux_sentry.policy.build import build_pipeline
from tmux_sentry.policy.model import Pipeline
from tmux_sentry.state.store import Store
from tmux_sentry.state.tables import sends

#: Longer than any send waits for an idle pane.
PATIENCE = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much, and how rough. Times are mean seconds; those of panes are for one pane."""

    hours: float
    panes: int
    rates: Rates
    pause: float  # the policy's `wait` between two sends
    typing: float
    respawn: float
    server_restart: float
    cut_off: float
    take_over: float


_ROUGH = Rates(
    killed=0.003, stopped=0.003, overtaken=0.03, answer_lost=0.02, never_arrives=0.02, arrives_late=0.06,
    claimed=0.3, noticed=0.3,
)  # fmt: skip
_DUEL = Rates(
    killed=0.001, stopped=0.001, overtaken=0.01, answer_lost=0.005, never_arrives=0.005, arrives_late=0.08,
    claimed=0.6, noticed=0.6,
)  # fmt: skip
_DAILY = Rates(
    killed=0.0004, stopped=0.0004, overtaken=0.005, answer_lost=0.002, never_arrives=0.002, arrives_late=0.002,
    claimed=0.02, noticed=0.1,
)  # fmt: skip
SIZES = {
    # A rough hour: every kind of trouble, often enough to meet another one.
    "small": Size(
        hours=1.0, panes=6, rates=_ROUGH, pause=30.0, typing=400.0, respawn=7200.0, server_restart=3600.0,
        cut_off=1800.0, take_over=900.0,
    ),
    # Two instances that take the same few panes from each other while commands are under way.
    "duel": Size(
        hours=1.0, panes=3, rates=_DUEL, pause=10.0, typing=3600.0, respawn=7200.0, server_restart=36000.0,
        cut_off=7200.0, take_over=1800.0,
    ),
    "day": Size(
        hours=24.0, panes=50, rates=_DAILY, pause=600.0, typing=7200.0, respawn=36000.0, server_restart=28800.0,
        cut_off=7200.0, take_over=7200.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run was like."""

    trace: str
    typed: int
    carried_out: int
    killed: int
    late: int
    take_overs: int


class World:
    """Servers, people and two instances with a database each."""

    def __init__(self, seed: int, size: Size, say: Callable[[str], None] | None = None) -> None:
        self.size = size
        self.rates = size.rates
        self.schedule = Schedule(seed, self._count(say))
        self.counts: dict[str, int] = {}
        self.ledger = Ledger()
        self.pipelines = [_pipeline(number, size.pause) for number in range(3)]
        self._pid = 1000
        self.servers = {name: self._new_server(name) for name in ("h1", "h2")[: 1 + size.panes // 25]}
        self.people = People(self)
        # Opened as the product does it, which gives each its own name; then only the database is kept.
        self.workers = [Worker(name, Store.open(None, self.schedule)._database) for name in ("a", "b")]
        self.active = self.workers[0]

    def _count(self, say: Callable[[str], None] | None) -> Callable[[str], None]:
        def counted(line: str) -> None:
            word = line.split(" ", 2)[1]
            if line.endswith(("take over a", "take over b")):
                word = "take over"
            self.counts[word] = self.counts.get(word, 0) + 1
            if say is not None:
                say(line)

        return counted

    @property
    def other(self) -> Worker:
        """The instance that is not the active one."""
        return self.workers[1 - self.workers.index(self.active)]

    def new_pid(self) -> int:
        """A process id that was never there."""
        self._pid += 1
        return self._pid

    def _new_server(self, host: str) -> Server:
        server = Server(host, self.new_pid(), self.schedule, self.ledger)
        for number in range(self.size.panes // (1 + self.size.panes // 25)):
            server.new_pane(self.new_pid(), agent=number % 2 == 1)
        return server

    # -------------------------------------------------------------------------- panes

    def panes(self) -> list[Pane]:
        """Every pane there is."""
        return [pane for server in self.servers.values() for pane in server.panes.values()]

    def find(self, identity: PaneIdentity) -> Pane | None:
        """The pane, if it still is that one."""
        pane = self.servers[identity.host].panes.get(identity.pane_id)
        return pane if pane is not None and pane.identity == identity else None

    def agent_state(self, identity: PaneIdentity) -> AgentState:
        """As the parsers would have it."""
        pane = self.find(identity)
        return pane.state if pane is not None else AgentState.UNKNOWN

    def restart_server(self, host: str) -> None:
        """All its panes are gone; the ids of the new ones begin at %0 again."""
        self.schedule.note("server", host)
        old = self.servers[host]
        gone = [pane.identity for pane in old.panes.values()]
        old.alive = False
        self.servers[host] = self._new_server(host)
        self.tell_closed(gone)

    def tell_closed(self, gone: list[PaneIdentity]) -> None:
        """Whoever watches notices within two seconds, unless it is cut off."""
        for process in [worker.process for worker in self.workers if worker.process is not None]:
            for pane in gone:
                self.schedule.after(0.0, 2.0, lambda pane=pane, process=process: process.closed(pane), process)

    # ------------------------------------------------------------------------ running

    def start(self, worker: Worker) -> None:
        """A process on a worker's database, unless one is there: the instance lock."""
        if worker.process is None and worker.wanted:
            process = worker.process = Process(self, worker)
            self.schedule.note("start", worker.name)
            self.schedule.at(self.schedule.now(), process.start, process)

    def run(self) -> Result:
        """From the first start to the audit. Raises Broken."""
        self.active.wanted = True
        self.start(self.active)
        self.people.arrive()
        self.schedule.run(self.schedule.now() + self.size.hours * 3600.0)
        self._settle()
        return Result(
            trace=self.schedule.trace,
            typed=len(self.ledger.steps),
            carried_out=len(self.ledger.carried_out),
            killed=self.counts.get("killed", 0),
            late=self.counts.get("late", 0),
            take_overs=self.counts.get("take over", 0),
        )

    def _settle(self) -> None:
        """No more trouble; each instance comes up once more, alone, and has to account for all it ever took on."""
        self.people.quiet, self.rates = True, Rates()
        for worker in self.workers:
            for other in self.workers:
                other.wanted = False
                if other.process is not None:
                    other.process.kill("the end")
            self.schedule.run(self.schedule.now() + 2 * PATIENCE)
            worker.wanted = worker.take_over = True
            self.start(worker)
            self.schedule.run(self.schedule.now() + 2 * PATIENCE)
            self._audit(worker)

    def _audit(self, worker: Worker) -> None:
        process = worker.process
        assert process is not None
        with worker.database.read() as connection:
            rows = connection.execute(select(sends.c.action_id, sends.c.run_id, sends.c.status)).all()
        for action_id, run_id, status in rows:
            action = (worker.name, action_id)
            if status == "done" and action not in self.ledger.carried_out:
                raise Broken(f"lost: the journal of {worker.name} says {action_id} is done, and it is not")
            if status != "planned" or action in self.ledger.given_up:
                continue
            run = process.conductor.runs.get(run_id)
            attempt = run.attempt if run is not None else None
            if attempt is None or attempt.action_id != action_id:
                raise Broken(f"lost: nobody knows of {action_id} of {worker.name} any more")
            since, _ = process.jobs.get(action_id, (0.0, None))
            if attempt.held is None and self.schedule.now() - since > PATIENCE:
                raise Broken(f"lost: {action_id} of {worker.name} is neither typed nor held")


def _pipeline(number: int, pause: float) -> Pipeline:
    def stage(name: str, **more: object) -> dict[str, object]:
        text = f"{name} of ${{run.id}} ${{stage.name}}"
        actions = [{"send_keys": f"one {text}"}, {"wait": pause}, {"send_keys": f"two {text}"}, {"wait": pause}]
        return {
            "name": name,
            "actions_on_start": [*actions, {"send_keys": {"keys": ["Up"]}}],
            "success_when": [{"idle_for": 20}],
            "timeout": 7200,
            "on_success": [{"send_keys": f"bye {text}"}, {"wait": pause}],
            **more,
        }

    stages = [
        stage("a"),
        stage("b", triggers=[{"after_stage_success": "a"}], require_approval={"timeout": 900, "on_timeout": "reject"}),
        stage("c", triggers=[{"after_stage_success": "b"}, {"after_stage_failure": "b"}]),
    ]
    stages = stages[: number + 1]
    return build_pipeline({"name": f"p{number}", "match": {"command": "sh"}, "stages": stages})
