"""One send as its thread sees it: what is wanted, and the outside that it may touch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import AgentState, Dialog, PaneIdentity
from tmux_sentry.engine.events import AboutToSend, Keys
from tmux_sentry.engine.relay import Answers
from tmux_sentry.state.store import Store
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.model import Capture, PaneInfo

#: Seconds between two looks at a pane, however fast it prints.
BREATH = 0.1
#: The longest time between two looks, in seconds.
LOOK = 1.0


class Pane(Protocol):
    """What a send needs of the Watcher of its host."""

    @property
    def client(self) -> CommandClient:
        """The command client; raises Unreachable."""

    def pane(self, identity: PaneIdentity) -> PaneInfo | None:
        """The pane as last seen."""

    def capture(self, identity: PaneIdentity, history: int | None = 0) -> Capture:
        """The pane now. Raises Unreachable, PaneGone."""

    def polled(self, identity: PaneIdentity) -> bool:
        """Whether only captures tell what the pane prints."""

    def in_foreground(self, pid: int) -> bool | None:
        """Whether the pane's own process has the terminal."""

    def wait_change(self, identity: PaneIdentity, timeout: float) -> object:
        """Until the pane changes, or `timeout` seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One send for one pane. `stopped` is set when nobody wants it any more."""

    action_id: str
    pane: PaneIdentity
    keys: Keys
    wait_idle: float
    stopped: threading.Event
    answers: Answers | None = None  # the dialog that must be there
    resumes: bool = False  # only for an agent at its usage limit
    needs_exit: bool = False  # only where the exit status that the keys report can be seen


def no_dialog(pane: PaneIdentity, seen: Capture, bar: float) -> Dialog | None:
    """For whoever answers no dialogs."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside of a send."""

    watcher: Pane
    store: Store
    clock: Clock
    owner: str
    take_over: bool
    announce: Callable[[Job, AboutToSend, Capture], None]  # commits the baseline before it returns
    agent_state: Callable[[PaneIdentity], AgentState]
    dialog: Callable[[PaneIdentity, Capture, float], Dialog | None] = no_dialog  # what a capture shows, if that sure
    prompt: str | None = None  # the host's own prompt pattern (RE2)
    patience: float | None = None  # seconds in all, whatever the reason; for a send by hand


def breathe(job: Job, ports: Ports) -> None:
    """Until the pane changes or it is time to look again. A pane that floods, or is gone, changes all the time."""
    if not job.stopped.wait(BREATH):
        ports.watcher.wait_change(job.pane, LOOK - BREATH)
