"""What the commands that steer runs do while no instance is running: the same, on the database alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tmux_sentry.cli.parts import wanted
from tmux_sentry.cli.session import Session, locked_store
from tmux_sentry.cli.telling import herald

if TYPE_CHECKING:
    from tmux_sentry.engine.desk import Desk
    from tmux_sentry.policy.model import Policy


@contextmanager
def offline_desk(session: Session, policy: Policy | None = None) -> Iterator[Desk]:
    """A Desk on the database alone: what it decides is carried out by the next `run`."""
    from tmux_sentry.approvals.broker import Broker
    from tmux_sentry.clock import SystemClock
    from tmux_sentry.engine.conductor import Conductor, Step
    from tmux_sentry.engine.desk import Desk
    from tmux_sentry.engine.events import CloseAsk
    from tmux_sentry.engine.panes import Panes
    from tmux_sentry.engine.quarantine import Quarantine
    from tmux_sentry.engine.starting import Starter
    from tmux_sentry.policy.model import Policy as PolicyModel

    clock, panes = SystemClock(), Panes()
    policy = policy or PolicyModel()
    with locked_store(session, clock) as store:
        broker = Broker(wanted(session, session.registry.approvals), clock)

        def let_out(step: Step) -> None:
            for effect in step.effects:
                stored = store.approval(effect.approval_id) if isinstance(effect, CloseAsk) else None
                if stored is not None and isinstance(effect, CloseAsk):
                    broker.close(stored.request, effect.outcome)

        told = herald(session, policy, session.settings.notification_channels)
        conductor = Conductor(store, clock, told, let_out, session.unseal)
        conductor.load(session.env)
        quarantine = Quarantine(clock, lambda name: None)  # a command is over before anything can fail again
        starter = Starter(policy, store, clock, conductor, panes, session.env, quarantine)
        yield Desk(store, clock, conductor, starter, panes, session.env)
        broker.stop()
