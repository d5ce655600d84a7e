"""What reached the panes, compared with what the journals say: the promises, checked as things happen."""

from __future__ import annotations

from dataclasses import dataclass


class Broken(BaseException):
    """A promise is broken. Not an Exception: the engine must not take it for one of its own errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A committed intent, as it travels beside the command that carries it out."""

    worker: str
    action_id: str
    step: str
    pane_key: str
    epoch: int
    marker: int
    text: str

    @property
    def action(self) -> tuple[str, str]:
        """One send of one instance."""
        return self.worker, self.action_id


class Ledger:
    """Every key that reached a pane."""

    def __init__(self) -> None:
        self.steps: set[tuple[str, str, str]] = set()
        self.carried_out: set[tuple[str, str]] = set()
        self.given_up: set[tuple[str, str]] = set()  # a person saw to it
        self.newest: dict[str, int] = {}  # the highest epoch that each place has had

    def claimed(self, place: str, epoch: int) -> None:
        """An instance made a pane its own."""
        self.newest[place] = max(epoch, self.newest.get(place, 0))

    def typed(self, place: str, pane_key: str, sender: Sender | None, there: str) -> None:
        """The keys of a step reach a pane whose input line holds `there`."""
        sender = self._expected(place, pane_key, sender)
        step = (*sender.action, sender.step)
        if step in self.steps:
            raise Broken(f"typed twice: {sender}")
        self.steps.add(step)
        if there and sender.step in ("line", "text"):
            raise Broken(f"garbled: {sender.text!r} was typed behind {there!r}: {sender}")
        if sender.step == "keys":
            self.carried_out.add(sender.action)

    def entered(self, place: str, pane_key: str, sender: Sender | None, line: str) -> None:
        """Enter reaches a pane, and its program takes `line`."""
        sender = self._expected(place, pane_key, sender)
        if sender.step == "enter":
            self.typed(place, pane_key, sender, line)
        if line != sender.text:
            raise Broken(f"garbled: Enter submitted {line!r}, not {sender.text!r}: {sender}")
        self.carried_out.add(sender.action)

    def _expected(self, place: str, pane_key: str, sender: Sender | None) -> Sender:
        if sender is None:
            raise Broken(f"keys reached {pane_key} without a committed intent")
        if sender.pane_key != pane_key:
            raise Broken(f"another identity: keys for {sender.pane_key} reached {pane_key}: {sender}")
        if sender.epoch < self.newest.get(place, 0):
            raise Broken(f"an older epoch typed after epoch {self.newest[place]}: {sender}")
        return sender

    def believed_done(self, worker: str, action_id: str) -> None:
        """An instance takes a send for carried out."""
        if (worker, action_id) not in self.carried_out:
            raise Broken(f"lost: {worker} takes {action_id} for typed, and it is not")
