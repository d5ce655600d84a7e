"""A dialog that the program in a pane shows, and what each answer to it would press."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: What a choice does. "approve_always" also allows what comes later, and is never chosen by a rule or by a yes.
Meaning = Literal["approve", "approve_always", "reject", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer to a dialog.

    `key` are the tmux key names that make this choice, in order ("1"; "y", "Enter"; "Escape"): a word is its letters,
    one by one. They must mean the same wherever the dialog's cursor stands. Where they do not, the cursor's choice
    belongs into the fingerprint.
    """

    label: str  # as shown
    key: tuple[str, ...]
    meaning: Meaning = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """A question that the program waits with, as a Parser read it off a capture. All text is as shown, and hostile.

    `fingerprint` (sha256, hex) names this dialog: the same while it stands there, another for any other question,
    command or set of choices, and untouched by what changes by itself (timers, spinners). `dialog_fingerprint` makes
    one. It is read again right before an answer is typed, and gone afterwards when the answer was taken.
    """

    question: str
    choices: tuple[Choice, ...]
    fingerprint: str
    command: str = ""  # exactly as shown; "" where it asks about something else
    truncated: bool = False  # not all of the command is shown
    cwd: str = ""  # where the command would run, where the dialog says so
    doubt: str = ""  # why no rule may answer it, whatever it shows
    kind: str = "question"  # "command", "edit", "fetch", "question", ...; only a "command" is answered by a rule

    def choice(self, meaning: Meaning) -> Choice | None:
        """The first choice with this meaning."""
        return next((choice for choice in self.choices if choice.meaning == meaning), None)


def dialog_fingerprint(question: str, command: str, choices: Sequence[Choice]) -> str:
    """The sha256 (hex) of what identifies a dialog; leave out of `question` what changes by itself."""
    whole = [question, command, [[choice.label, list(choice.key), choice.meaning] for choice in choices]]
    # ASCII JSON: one encoding of each text, and no surrogate can make it fail.
    return hashlib.sha256(json.dumps(whole, ensure_ascii=True).encode("ascii")).hexdigest()
