"""What the panes' programs received, against what they had to receive."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """A pane and what its program has to get, in this order."""

    id: str
    kind: str
    log: Path
    expected: tuple[str, ...]

    def got(self) -> list[str]:
        """Every line that its program was given."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@dataclass
class Tally:
    """What came of the actions."""

    actions: int = 0
    lost: int = 0
    doubled: int = 0
    garbled: int = 0
    held: int = 0
    kills: int = 0
    messages: int = 0
    missing: int = 0  # messages that the outbox does not have
    failures: int = 0  # of the harness: a point that was not reached, a life that ended badly
    notes: list[str] = field(default_factory=list)

    @property
    def red(self) -> bool:
        return bool(self.lost or self.doubled or self.garbled or self.missing or self.failures)

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def fail(self, note: str) -> None:
        """Something that is no action's fate, but no success either."""
        self.failures += 1
        self.notes.append(note)

    def line(self) -> str:
        bound = f"{min(3 / self.kills, 1.0):.2%}" if self.kills else "none"
        return (
            f"actions {self.actions}, lost {self.lost}, doubled {self.doubled}, garbled {self.garbled}, "
            f"held {self.held}, kills {self.kills}, 95% bound {bound} a kill; "
            f"messages {self.messages}, missing {self.missing}; failures {self.failures}"
        )

    def judge(self, pane: Pane) -> None:
        """Compare what a pane's program got with what it had to get."""
        got = pane.got()
        known = set(pane.expected)
        self.actions += len(pane.expected)
        lost = [line for line in pane.expected if line not in got]
        doubled = [line for line in known if got.count(line) > 1]
        odd = [line for line in got if line not in known]
        once = [line for line in dict.fromkeys(got) if line in known]
        disorder = once != [line for line in pane.expected if line in got]
        self.lost += len(lost)
        self.doubled += sum(got.count(line) - 1 for line in doubled)
        self.garbled += len(odd) + disorder
        for what, lines in (("lost", lost), ("doubled", doubled), ("garbled", odd)):
            if lines:
                self.notes.append(f"{pane.kind} {pane.id}: {what}: {', '.join(lines[:5])}")
