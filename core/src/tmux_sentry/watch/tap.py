"""What a pane's watcher hands on, as it comes, to whoever records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.tmux.model import Capture, PaneInfo


@dataclass(frozen=True, slots=True)
class Printed:
    """Raw output."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The inventory has found the pane like this."""

    info: PaneInfo


@dataclass(frozen=True, slots=True)
class Shown:
    """The capture that closes a gap."""

    capture: Capture


@dataclass(frozen=True, slots=True)
class Gap:
    """Output was lost, or may have been."""


@dataclass(frozen=True, slots=True)
class FromTheStart:
    """The stream has brought the pane's output from its first byte on."""


@dataclass(frozen=True, slots=True)
class Handed:
    """An event that came out of band."""

    text: str
    entry: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The pane is gone; `status` is its exit status where tmux tells it."""

    status: int | None


Taped = Printed | Found | Shown | Gap | FromTheStart | Handed | Closed


class Tap(Protocol):
    """Called with the pane's lock held, from several threads: it must not wait for anything and must not raise."""

    def __call__(self, pane: PaneIdentity, record: Taped) -> None:
        """The next record of a pane."""


def nobody(pane: PaneIdentity, record: Taped) -> None:
    """No recording."""
