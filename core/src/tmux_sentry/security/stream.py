"""Redaction of text that comes in pieces: a secret may begin in one and end in another."""

from __future__ import annotations

import re

from tmux_sentry.security.patterns import PRIVATE_KEY, unfinished
from tmux_sentry.security.redact import Redactor, Span, apply
from tmux_sentry.security.views import View, without_hidden

#: Characters that are held back at least, and enough to recognise any token whose fixed part is no longer.
HOLD = 4096
_WORD_END = re.compile(r"[\s\"'<>]")
_MOST = 8
_ROW = 1000  # no row of a screen is longer
_KEY_END = "-----END"
_KEY_LINE = 100  # of a key's last line what may have come so far


class StreamRedactor:
    """Lets text out when no secret can be in it any more: after `hold` characters, or twice the longest secret's.

    At most eight times that is kept. What is longer and still may be a secret (a token without an end, a private key)
    is not kept but left out, with its mark in its place, until it has ended. Not thread-safe.
    """

    def __init__(self, redact: Redactor, hold: int = HOLD) -> None:
        self._redact = redact
        self._least = hold
        self._held = ""
        self._enough = 0  # characters at which to look again
        self._until: str = ""  # what ends what is being left out: "word" or "key"

    @property
    def hold(self) -> int:
        """Characters that are held back."""
        return max(self._least, 2 * self._redact.longest)

    @property
    def held(self) -> int:
        """Characters at the end of what was fed of which it is not decided yet what becomes of them."""
        return len(self._held)

    def feed(self, text: str) -> str:
        """Take the next piece; returns what can leave now, without secrets."""
        self._held += text
        out: list[str] = []
        # Twice as much is waited for, so that each character is looked at a few times, however small the pieces are.
        while self._skip() and len(self._held) >= max(self._enough, 2 * self.hold):
            before = len(self._held)
            out.append(self._release())
            self._enough = 2 * before if len(self._held) == before else 0
        return "".join(out)

    def close(self) -> str:
        """The rest, without secrets; the end of the text is the end of whatever it ends with."""
        rest = self._redact(self._held) if self._skip() else ""
        self._held, self._until, self._enough = "", "", 0
        return rest

    def _release(self) -> str:
        views = without_hidden(self._held)
        # What is not seen does not count: a secret may be full of it.
        seen = views[0] if views else View(self._held)
        if len(seen.text) <= self.hold:
            # With what escape sequences hold: of one without an end that is text like any other.
            self._held = self._held if len(self._held) < _MOST * self.hold else views[-1].text
            return ""
        cut = seen.origin(len(seen.text) - self.hold)
        # At the beginning of a row, so that a row that goes on in the next is seen to be a full one.
        row = self._held.rfind("\n", 0, cut) + 1
        cut = row if row > 0 and cut - row < _ROW else cut
        spans = self._spans(seen)
        for span in reversed(spans):
            if span.first < cut < span.last:
                cut = span.first
        if cut == 0:
            return self._give_up(spans[0])
        held, self._held = self._held[:cut], self._held[cut:]
        return apply(held, [span for span in spans if span.end <= cut])

    def _spans(self, seen: View) -> list[Span]:
        spans, end = self._redact.spans(self._held), len(self._held)
        begun = unfinished(seen.text)
        if begun is not None:
            begun = seen.origin(begun)
            if not any(span.first <= begun < span.last for span in spans):
                spans.append(Span(begun, end, "long-token", begun, end))
        return sorted(spans, key=lambda span: span.start)

    def _give_up(self, first: Span) -> str:
        """What is held begins with a secret that is longer than the hold."""
        shown = self._held[: first.start] + first.mark
        if first.last < len(self._held):
            self._held = self._held[first.end :]
        else:
            self._until = "key" if first.name == PRIVATE_KEY else "word"
            self._held = self._held[-_KEY_LINE:] if self._until == "key" else ""
        return shown

    def _skip(self) -> bool:
        """Leave out what belongs to a secret that was too long; whether it has ended."""
        if self._until == "word":
            end = _WORD_END.search(self._held)
            self._held = self._held[end.start() :] if end else ""
            self._until = "" if end else "word"
        elif self._until == "key":
            begun = self._held.find(_KEY_END)
            closed = self._held.find("-----", begun + len(_KEY_END)) if begun >= 0 else -1
            if closed >= 0:
                self._held, self._until = self._held[closed + 5 :], ""
            else:
                self._held = self._held[-_KEY_LINE:]
        return not self._until
