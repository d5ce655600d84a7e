"""A dialog of the agent in hand: what stands on the screen, how far its answer is, and how that is written down."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Literal, get_args

from tmux_sentry.contracts import Choice, Dialog, Meaning, Signal, SignalKind
from tmux_sentry.tmux import quoting

#: A dialog that no capture shows for so many seconds is gone: one alone may have been taken while it was drawn.
GONE = 1.0
#: Seconds in which a dialog is gone, or its answer was not taken.
TAKEN = 10.0

# What a dialog may hold at most, in characters, choices and keys: a Run remembers it, and people read it.
_TEXT, _LABEL, _CHOICES, _KEYS = 4000, 500, 20, 8
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")

Answer = Literal["approve", "reject"]


class Standing(str, Enum):
    """How far a dialog is."""

    TOLD = "told"  # people know, or nobody needs to
    ASKED = "asked"  # people were asked
    SENDING = "sending"  # an answer was handed out
    LEAVING = "leaving"  # it was answered, or has been seen to change: it has to be gone soon
    STUCK = "stuck"  # a person has to see to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The dialog that was handled last, until it is gone. Times are epoch seconds.

    One that was only told is judged with every step: another stage, or the end of a hold, may do more with it.
    """

    dialog: Dialog
    standing: Standing
    told: bool = False
    stage: str = ""  # this and the next: for which attempt it was asked or answered
    attempt: int = 0
    approval_id: str | None = None
    approval_digest: str = ""
    answer: Answer | None = None
    action_id: str | None = None
    why: str = ""  # what a person is told when it does not leave
    until: float | None = None  # when it has to be gone
    absent_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the last capture shows: every PROMPT that was read off it, and the pane's folder ("" is not known)."""

    prompts: tuple[Signal, ...] = ()
    folder: str = ""

    def has(self, fingerprint: str) -> bool:
        """Whether a dialog is there, however sure that is."""
        return any(getattr(prompt.dialog, "fingerprint", prompt.digest) == fingerprint for prompt in self.prompts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a send answers: the dialog that has to be there, and how sure (0..1) that must be."""

    dialog: Dialog
    bar: float


def prompts(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """The dialogs that were read off a capture; an ASK that was printed is a text event and none of them."""
    return tuple(signal for signal in signals if signal.kind is SignalKind.PROMPT and not signal.event_type)


def shown(found: Iterable[Signal], bar: float) -> Dialog | None:
    """The dialog that stands there, as `prompts` has found it. What is not understood has no choices.

    Two that differ contradict each other: then none of them is.
    """
    sure = [signal for signal in found if signal.confidence >= bar]
    understood = [signal.dialog for signal in sure if signal.dialog is not None and is_sound(signal.dialog)]
    if understood and all(same(dialog, understood[0]) for dialog in understood):
        return understood[0]
    if not sure:
        return None
    first = sure[0]
    name = first.digest if len(understood) < 2 else _digest("\n".join(sorted(one.fingerprint for one in understood)))
    return Dialog(question=str(first.message or first.evidence)[:_TEXT], choices=(), fingerprint=name, kind="")


def same(one: Dialog, other: Dialog) -> bool:
    """Whether an answer to one is an answer to the other. Their questions may count seconds."""
    return _essence(one) == _essence(other)


def is_sound(dialog: object) -> bool:
    """Whether a plugin's dialog has the types, sizes and key names that it may have."""
    return (
        isinstance(dialog, Dialog)
        and all(_is_text(text, _TEXT) for text in (dialog.question, dialog.command, dialog.cwd, dialog.doubt))
        and _is_text(dialog.kind, _LABEL)
        and isinstance(dialog.truncated, bool)
        and _is_text(dialog.fingerprint, _LABEL)
        and _FINGERPRINT.fullmatch(dialog.fingerprint) is not None
        and isinstance(dialog.choices, tuple)
        and len(dialog.choices) <= _CHOICES
        and all(_is_choice(choice) for choice in dialog.choices)
    )


def to_json(relay: Relay) -> dict[str, Any]:
    """Plain JSON types."""
    return {**asdict(relay), "standing": relay.standing.value}


def from_json(data: Mapping[str, Any]) -> Relay:
    """The Relay that `to_json` wrote."""
    dialog = dict(data["dialog"])
    dialog["choices"] = tuple(Choice(**{**choice, "key": tuple(choice["key"])}) for choice in dialog["choices"])
    return Relay(**{**data, "dialog": Dialog(**dialog), "standing": Standing(data["standing"])})


def _essence(dialog: Dialog) -> tuple[object, ...]:
    return dialog.fingerprint, dialog.command, dialog.truncated, dialog.cwd, dialog.kind, dialog.choices


def _is_choice(choice: object) -> bool:
    return (
        isinstance(choice, Choice)
        and _is_text(choice.label, _LABEL)
        and choice.meaning in get_args(Meaning)
        and isinstance(choice.key, tuple)
        and 0 < len(choice.key) <= _KEYS
        and all(_is_key(key) for key in choice.key)
    )


def _is_key(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(quoting.key(name))
    except ValueError:
        return False


def _is_text(text: object, limit: int) -> bool:
    return isinstance(text, str) and len(text) <= limit


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
