"""What became of a send that was in hand when the program stopped: a pure decision over journal and marker.

tmux keeps the marker of the last send in the pane itself, and sets it in the same command that types, so the
marker proves what happened (measured: 1,000 kill -9, none lost, none doubled). It is read first; the
journal alone never decides about an intent whose answer is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tmux_sentry.state.records import Step

Verdict = Literal["resend", "sent", "held", "void", "wait"]

#: Why a try that tmux gave no word about was settled as refused: the marker stood where it was before. The command may
#: still be under way then, and what it will have done shows in the marker only until the next send moves that.
NOT_REACHED = "the command did not reach tmux"
PROVEN = "the marker proves that nothing was typed"
BY_MARKER = frozenset({NOT_REACHED, PROVEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The newest journal row of the send in hand. `last_step` says whether nothing would follow it."""

    step: Step
    status: str  # intent, injected, refused, unknown, void, done
    pane_key: str
    epoch: int
    previous: int
    marker: int
    last_step: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What the pane says: its identity, and its epoch and marker options as text ("" when unset)."""

    pane_key: str
    epoch: str
    marker: str


def resolve(intent: Intent | None, pane: Fence | None, newest_marker: int) -> tuple[Verdict, str]:
    """The decision and its reason. `pane` is None while its host cannot be read; `newest_marker` is the journal's."""
    if intent is None or intent.status == "refused":
        return "resend", "nothing was typed"
    if intent.status in ("injected", "done"):
        return _typed(intent)
    if intent.status == "void":
        return "void", "the journal has given it up"
    if pane is None:
        return "wait", "the pane cannot be read yet"
    if pane.pane_key != intent.pane_key:
        return "void", "the pane that was addressed no longer exists"
    return _by_marker(intent, pane, newest_marker)


def _typed(intent: Intent) -> tuple[Verdict, str]:
    if intent.last_step:
        return "sent", "the journal has the answer"
    return "held", "typed, not submitted: the program stopped between the text and Enter"


def _by_marker(intent: Intent, pane: Fence, newest_marker: int) -> tuple[Verdict, str]:
    if not (_is_number(pane.epoch) and _is_number(pane.marker)):
        return "held", "the pane has no usable marker: it cannot be known whether the keys were typed"
    if int(pane.epoch) != intent.epoch:
        return "held", f"the pane's epoch is {pane.epoch}, the journal's {intent.epoch}"
    marker = int(pane.marker)
    if marker == intent.marker:
        return _typed(intent)
    if marker > newest_marker:
        why = f"the pane's marker {marker} is newer than the journal ({newest_marker})"
        return "held", f"{why}: was an old database restored?"
    if marker == intent.previous:
        return "resend", PROVEN
    return "held", f"the pane's marker is {marker}, expected {intent.previous} or {intent.marker}"


def _is_number(text: str) -> bool:
    """Pane options are anybody's: other scripts' digits and endless numbers are none of ours."""
    return text.isascii() and text.isdigit() and len(text) <= 18
