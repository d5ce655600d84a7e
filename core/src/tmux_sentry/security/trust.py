"""Makes the trust of Signals true: a parser says what stands there, and whoever holds the panes' keys what it is worth.

A pane's key is made by the wrapper that runs in it and handed over out of band, where printed text cannot come (tried:
no escape sequence sets a tmux option). The first one is believed. So a signature proves that a process of that pane's
user, with the pane's key, said this; it does not prove that the agent is honest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from tmux_sentry.contracts import Emitted, Observation, PaneIdentity, Signal, Signature, Trust
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

#: Observations that may be judged and not taken in yet.
_WAITING = 1000
#: Warnings about one pane; what forges does it a million times.
_WARNINGS = 5
# Strict: a verifier that read numbers as Python does took "+7" for "7".
_SEQ = re.compile(r"[1-9][0-9]{0,17}")
_MAC = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"KEY ([A-Za-z0-9_-]{43})=?")


@dataclass(slots=True)
class _Pane:
    """One pane's key, and the highest numbers that were taken in: of printed events, of handed over ones."""

    key: str
    printed: int = 0
    emitted: int = 0


def is_key(text: str) -> bool:
    """Whether what was handed over is a pane's key: a secret, for PaneKeys and nobody else."""
    return text.startswith("KEY ")


class PaneKeys:
    """The keys of all panes. One thread owns it."""

    def __init__(self, load: Callable[[str], str | None], save: Callable[[str, str | None], None]) -> None:
        """`load` and `save` keep a text by a pane's key (None: forget it) in the database."""
        self._load, self._save = load, save
        self._panes: dict[str, _Pane | None] = {}
        # Of what is being taken in, by observation: the highest number in it. One may wait while later ones are judged.
        self._numbers: dict[Observation, int] = {}
        self._warned: dict[str, int] = {}

    def judge(self, observation: Observation, signals: Iterable[Signal]) -> tuple[Signal, ...]:
        """The Signals with the trust that they deserve; those with a bad signature, or an old number, are dropped."""
        emitted = isinstance(observation, Emitted)
        if emitted:
            self._learn(observation)  # type: ignore[arg-type]  # it is one
        numbers: list[int] = []
        judged = [self._judge(observation.pane, signal, emitted, numbers) for signal in signals]
        if numbers:
            self._numbers[observation] = max(numbers)
            if len(self._numbers) > _WAITING:  # never taken in, as their pane was replaced
                del self._numbers[next(iter(self._numbers))]
        return tuple(one for one in judged if one is not None)

    def taken(self, observation: Observation) -> None:
        """All that this observation led to is committed: its numbers do not count again."""
        pane, number = observation.pane.key, self._numbers.pop(observation, None)
        known = self._of(pane)
        if number is None or known is None:
            return
        if isinstance(observation, Emitted):
            known.emitted = max(known.emitted, number)
        else:
            known.printed = max(known.printed, number)
        self._write(pane, known)

    def keep(self, stored: Iterable[str], present: Collection[str]) -> None:
        """Of the panes (by key) for which something is `stored`, forget those that are not `present` any more."""
        for pane in set(stored) - set(present):
            self._save(pane, None)
            self._panes.pop(pane, None)

    def forget(self, pane: PaneIdentity) -> None:
        """The pane is gone."""
        if self._of(pane.key) is not None:
            self._save(pane.key, None)
        self._panes.pop(pane.key, None)
        self._warned.pop(pane.key, None)

    def _learn(self, observation: Emitted) -> None:
        found = _KEY.fullmatch(observation.text)
        if found is None:
            return
        known = self._of(observation.pane.key)
        if known is None:
            self._panes[observation.pane.key] = fresh = _Pane(found[1])
            self._write(observation.pane.key, fresh)
        elif known.key != found[1]:
            self._warn(observation.pane, "another key was handed over; the first one counts")

    def _judge(self, pane: PaneIdentity, signal: Signal, emitted: bool, numbers: list[int]) -> Signal | None:
        worth = Trust.EMITTED if emitted else Trust.PRINTED
        signal = replace(signal, trust=min(signal.trust, worth))
        known = self._of(pane.key)
        if known is None:
            return signal
        if signal.signature is None:
            # Any process on the tmux socket can hand over in any pane's name.
            return replace(signal, trust=Trust.GUESSED) if emitted and signal.trust is worth else signal
        number = _verified(known.key, signal.signature)
        if number is None:
            self._warn(pane, "an event's signature is not the pane's")
            return None
        if number <= (known.emitted if emitted else known.printed):
            return None  # it was taken in: a screen still shows it, or somebody says it again
        numbers.append(number)
        name = signal.event_id if signal.event_id is not None else f"seq {number}"
        return replace(signal, trust=Trust.EMITTED if emitted else Trust.SIGNED, event_id=name)

    def _warn(self, pane: PaneIdentity, what: str) -> None:
        count = self._warned[pane.key] = self._warned.get(pane.key, 0) + 1
        if count <= _WARNINGS:
            last = "; further ones are not told" if count == _WARNINGS else ""
            log.warning("%s on %s: %s%s", clean(pane.pane_id), clean(pane.host), what, last)

    def _of(self, pane: str) -> _Pane | None:
        if pane not in self._panes:
            kept = self._load(pane)
            self._panes[pane] = _Pane(**json.loads(kept)) if kept is not None else None
        return self._panes[pane]

    def _write(self, pane: str, known: _Pane) -> None:
        self._save(pane, json.dumps({"key": known.key, "printed": known.printed, "emitted": known.emitted}))


def _verified(key: str, signature: Signature) -> int | None:
    """The event's number, if the key has signed exactly these bytes."""
    if not _SEQ.fullmatch(signature.seq) or not _MAC.fullmatch(signature.mac):
        return None
    try:
        secret = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    except (binascii.Error, ValueError):
        return None
    signed = signature.seq.encode("ascii") + b" " + signature.body
    # Bytes: compare_digest raises for text that is not ASCII.
    mac = hmac.new(secret, signed, hashlib.sha256).hexdigest().encode("ascii")
    return int(signature.seq) if hmac.compare_digest(mac, signature.mac.encode("ascii")) else None
