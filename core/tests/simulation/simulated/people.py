"""Those who use the panes: they start runs, answer, type half a line, close panes, and move to the other machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulated.faults import LATEST
from simulated.tmux import Pane
from tmux_sentry.engine.events import Order
from tmux_sentry.errors import UsageError

if TYPE_CHECKING:
    from simulated.process import Process
    from simulated.world import World

#: Until nothing late can come any more, and a little.
SURE = 2 * LATEST
TYPED = "hm"


class People:
    """Everybody in front of a screen. `quiet` ends what they begin."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._schedule = world.schedule
        self._runs = 0
        self.quiet = False

    def arrive(self) -> None:
        """Begin to do things."""
        often, size = self._schedule.often, self._world.size
        often(60.0, self._round)
        often(size.typing / size.panes, self._type)
        often(size.respawn / size.panes, self._respawn)
        often(size.server_restart, self._restart_server)
        often(size.cut_off, self._cut_off)
        often(size.take_over, self._take_over)

    def asked(self, process: Process, approval_id: str) -> None:
        """A question; somebody answers it some time."""

        def answer() -> None:
            if not self.quiet:
                process.decide(approval_id, self._schedule.chance(0.9))

        self._schedule.after(5.0, 600.0, answer, process)

    def noticed(self, process: Process, pane: Pane) -> None:
        """A command for a pane hangs, and somebody does not wait for it."""
        if self._schedule.chance(0.5):
            self._schedule.after(0.0, 30.0, lambda: None if self.quiet else self._start_anew(pane, "respawn"))
        elif process.worker is self._world.active:
            self._schedule.after(0.0, self._schedule.random.choice((0.1, 10.0)), self._take_over)
            self._schedule.after(4.0, 25.0, lambda: self._begin_now(pane))

    def _begin_now(self, pane: Pane) -> None:
        process = self._world.active.process
        if not self.quiet and process is not None and not process.stands_still:
            self._schedule.at(self._schedule.now(), partial(self._begin, process, pane), process)

    # -------------------------------------------------------------------------- rounds

    def _round(self) -> None:
        for worker in self._world.workers:
            process = worker.process
            if self.quiet or process is None or process.stands_still:
                continue
            for run in list(process.conductor.runs.values()):
                attempt = run.attempt
                held = attempt is not None and attempt.held is not None
                if attempt is not None and held and self._schedule.now() - (attempt.held_at or 0.0) > SURE:
                    self._schedule.after(0.0, 60.0, partial(self._resume, process, run.id), process)
        process = self._world.active.process
        if self.quiet or process is None or process.stands_still:
            return
        busy = {run.pane.key for run in process.conductor.runs.values()}
        for pane in self._world.panes():
            if not pane.dead and pane.identity.key not in busy and self._schedule.chance(0.5):
                self._schedule.after(0.0, 60.0, partial(self._begin, process, pane), process)

    def _begin(self, process: Process, pane: Pane) -> None:
        if pane.dead or self._world.find(pane.identity) is None or process.conductor.of_pane(pane.identity.key):
            return
        process.panes.see(pane.info())
        self._runs += 1
        pipeline = self._schedule.random.choice(self._world.pipelines)
        process.begin(pane.identity, pipeline, f"{process.name}{self._runs:05d}")

    def _resume(self, process: Process, run_id: str) -> None:
        """They look at the pane, clear what was left there, and say what becomes of it."""
        run = process.conductor.runs.get(run_id)
        if run is None or run.attempt is None or run.attempt.held is None:
            return
        pane = self._world.find(run.pane)
        if pane is not None and not pane.dead:
            pane.line = ""
        verb = self._schedule.random.choice(("send", "send", "skip", "skip", "abort"))
        self._schedule.note("person", verb, process.name, run_id)
        if run.attempt.action_id is not None:
            self._world.ledger.given_up.add((process.name, run.attempt.action_id))
        try:
            process.order(run_id, Order(verb=verb, by="ann"))  # type: ignore[arg-type]
        except UsageError:
            process.order(run_id, Order(verb="abort", by="ann"))

    # --------------------------------------------------------------------------- hands

    def _type(self) -> None:
        pane = self._a_pane()
        if pane is None or pane.dead or (pane.busy and not pane.agent):
            return
        what = self._schedule.random.choice(("half", "half", "half", "mode", "hold", "off"))
        self._schedule.note("person", what, pane.place)
        if what == "half":
            pane.line += TYPED
        self._set(pane, what, True)
        self._schedule.after(2.0, 60.0, lambda: self._set(pane, what, False))

    def _set(self, pane: Pane, what: str, on: bool) -> None:
        match what:
            case "half" if not on:
                pane.line = ""  # whatever it was: they clear the line
            case "mode":
                pane.in_mode = on
            case "off":
                pane.input_off = on
            case "hold" if on:
                pane.options["@sentry_hold"] = "1"
            case "hold":
                pane.options.pop("@sentry_hold", None)

    # --------------------------------------------------------------------------- panes

    def _respawn(self) -> None:
        pane = self._a_pane()
        if pane is not None:
            self._start_anew(pane, self._schedule.random.choice(("respawn", "close", "die")))

    def _start_anew(self, pane: Pane, how: str) -> None:
        if self._world.find(pane.identity) is not pane:
            return
        gone = pane.identity
        self._schedule.note("person", how, pane.place)
        if how == "respawn":
            pane.respawn(self._world.new_pid())
        elif how == "close":
            del pane.server.panes[pane.pane_id]
            pane.server.new_pane(self._world.new_pid(), pane.agent)
        else:
            pane.dead = True
            self._schedule.after(10.0, 200.0, lambda: pane.respawn(self._world.new_pid()) if pane.dead else None)
        self._world.tell_closed([gone])

    def _restart_server(self) -> None:
        if not self.quiet:
            self._world.restart_server(self._schedule.random.choice(list(self._world.servers)))

    def _a_pane(self) -> Pane | None:
        panes = self._world.panes()
        return None if self.quiet or not panes else self._schedule.random.choice(panes)

    # ----------------------------------------------------------------------- processes

    def _cut_off(self) -> None:
        worker = self._schedule.random.choice(self._world.workers)
        process = worker.process
        if process is not None and not self.quiet and not process.stands_still:
            self._schedule.at(
                self._schedule.now(), partial(process.cut_off, self._schedule.random.uniform(5.0, 60.0)), process
            )

    def _take_over(self) -> None:
        """To the other machine; the instance here goes on for a while, or stands still, and does not know."""
        if self.quiet:
            return
        old, new = self._world.active, self._world.other
        self._schedule.note("person", "take over", new.name)
        self._world.active = new
        new.take_over = new.wanted = True
        if new.process is None:
            self._world.start(new)
        self._schedule.after(5.0, 20.0, self._round)
        old.wanted = False
        process = old.process
        if process is None:
            return
        if self._schedule.chance(0.5):
            process.wakes_at = self._schedule.now() + self._schedule.random.uniform(5.0, 300.0)  # its machine hangs
        self._schedule.after(60.0, 1200.0, lambda: None if process.dead or old.wanted else process.kill("stopped"))
