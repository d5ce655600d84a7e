"""Keeps `pane_states` in step with what is known of the panes; writes at most a few times a second."""

from __future__ import annotations

from collections.abc import Iterable

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import AgentState, PaneIdentity, Signal
from tmux_sentry.engine.panes import KnownPane, Panes
from tmux_sentry.state.records import PaneState
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.model import PaneInfo


class PaneTable:
    """One thread owns it."""

    def __init__(self, store: Store, clock: Clock, panes: Panes) -> None:
        self._store = store
        self._clock = clock
        self._panes = panes
        self._written: dict[str, KnownPane] = {}
        self._closed: list[tuple[str, str]] = []  # host, pane id
        self._swept: set[str] = set()  # hosts whose old rows were looked through

    def hear(self, pane: PaneIdentity, signals: Iterable[Signal], *, screen: bool) -> None:
        """Take in Signals."""
        self._panes.hear(pane, signals, screen=screen, now=self._clock.monotonic())

    def assign(self, pane: PaneIdentity, pipeline: str, stage: str) -> None:
        """Note which pipeline and stage the pane is in."""
        self._panes.assign(pane, pipeline, stage)

    def closed(self, pane: PaneIdentity) -> None:
        """The pane is gone; its row goes with it."""
        if self._panes.close(pane) is not None:
            self._written.pop(pane.key, None)
            self._closed.append((pane.host, pane.pane_id))

    def inventoried(self, host: str, panes: Iterable[PaneInfo]) -> None:
        """Every pane that the host has; rows that an earlier process left of others go."""
        if host not in self._swept:
            self._swept.add(host)
            there = {(host, info.identity.pane_id) for info in panes}
            rows = {(row["host"], row["pane_id"]) for row in self._store.pane_states() if row["host"] == host}
            self._closed += sorted(rows - there)

    def write(self) -> None:
        """Write the rows that changed, in one transaction."""
        panes = self._panes.all()
        changed = [pane for pane in panes if _row(pane) != _row(self._written.get(pane.info.identity.key))]
        if not changed and not self._closed:
            return
        now = self._clock.now()
        # A respawned pane has the same row: it must not go with what was there before.
        there = {(pane.info.identity.host, pane.info.identity.pane_id) for pane in panes}
        with self._store.transaction() as tx:
            for host, pane_id in self._closed:
                if (host, pane_id) not in there:
                    tx.drop_pane(host, pane_id)
            for pane in changed:
                tx.upsert_pane(_stored(pane, now))
        self._closed.clear()
        self._written.update({pane.info.identity.key: pane for pane in changed})


def shown_state(pane: KnownPane) -> AgentState:
    """The agent's state; of a shell without one, whether a command runs in it."""
    if pane.state is not AgentState.UNKNOWN or pane.agent:
        return pane.state
    if pane.info.dead:
        return AgentState.EXITED
    return AgentState.IDLE if pane.info.is_shell else AgentState.UNKNOWN


def _row(pane: KnownPane | None) -> tuple[object, ...] | None:
    if pane is None:
        return None
    info = pane.info
    names = (info.session_name, info.window_name, info.window_index, info.pane_index)
    return (*names, pane.agent, shown_state(pane), pane.pipeline, pane.stage, pane.last_signal, pane.confidence)


def _stored(pane: KnownPane, now: float) -> PaneState:
    info = pane.info
    return PaneState(
        identity=info.identity,
        session_name=info.session_name,
        window_name=info.window_name,
        window_index=info.window_index,
        pane_index=info.pane_index,
        agent=pane.agent,
        state=shown_state(pane).value,
        updated_at=now,
        stage=pane.stage or None,
        pipeline=pane.pipeline or None,
        confidence=pane.confidence,
        trust=pane.trust,
        last_signal=pane.last_signal,
    )
