"""The one redactor: no secret leaves through a log, a notification, a table or `--json`.

It takes out two kinds: every configured secret, in each form in which programs write it, and what looks like a
well-known token. It sees through whatever is not seen itself: colours, zero-width characters, and the line breaks
of a narrow pane. So it comes FIRST at each exit (see outlet.py); cutting a text or escaping it comes after.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tmux_sentry.security.literals import SHORTEST, Literals
from tmux_sentry.security.patterns import GENERIC, PRIVATE_KEY, Found, find
from tmux_sentry.security.views import View, blanked, joined_rows, squeezed, squeezed_view, without_hidden

MARK = "[redacted]"
# From this length on a secret is found also with spaces and line breaks inside: no ordinary text is like it then.
_TORN = 12


@dataclass(frozen=True, slots=True)
class Span:
    """What is to go: `start`..`end`. `name` is the kind of token, "" for a configured secret.

    `first`..`last` is what it was recognised by, which has to stay together until it is gone.
    """

    start: int
    end: int
    name: str
    first: int
    last: int

    @property
    def mark(self) -> str:
        """What stands in its place."""
        return f"[redacted {self.name}]" if self.name else MARK


class Redactor:
    """Replaces every configured secret with `[redacted]`, and every well-known token with `[redacted KIND]`.

    One can be used by several threads.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._learning = threading.Lock()
        self._forms: set[str] = set()
        self._literals = (Literals(()), Literals(()))
        #: Characters of the longest form of a configured secret.
        self.longest = 0
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace these too from now on, wherever this redactor is in use already."""
        secrets = list(secrets)
        if not secrets:
            return
        from tmux_sentry.security.forms import forms_of  # here: `--help` has no secrets

        new = {form for secret in secrets for form in forms_of(secret)}
        with self._learning:
            if new <= self._forms:
                return
            self._forms |= new
            whole, torn = set(), set()
            for form in self._forms:
                if len(squeezed(form)) >= _TORN:
                    torn |= {squeezed(seen) for seen in _seen(form)}
                else:
                    whole |= _seen(form)
            # Replaced at once: who is redacting at this moment has either the old ones or the new ones.
            self.longest = max(map(len, self._forms), default=0)
            self._literals = (_literals(whole), _literals(torn))

    def __call__(self, text: str) -> str:
        """`text` without any secret."""
        return apply(text, self.spans(text))

    def spans(self, text: str) -> list[Span]:
        """What is to go from `text`, in order, none overlapping."""
        if len(text) < SHORTEST:
            return []
        views = without_hidden(text)
        found = [Span(*span, "", *span) for span in self._configured(text, views)]
        return _merged([*found, *_tokens(text, views)])

    def _configured(self, text: str, views: list[View]) -> Iterator[tuple[int, int]]:
        whole, torn = self._literals
        yield from _torn(torn, text)
        yield from whole.spans(text)
        for view in views:
            for literals, find_in in ((whole, Literals.spans), (torn, _torn)):
                yield from (view.span(*span) for span in find_in(literals, view.text))


def apply(text: str, spans: Iterable[Span]) -> str:
    """`text` with the mark of each span in its place."""
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += (text[at : span.start], span.mark)
        at = span.end
    return "".join((*pieces, text[at:])) if pieces else text


def _literals(forms: Iterable[str]) -> Literals:
    return Literals(form for form in forms if len(form) >= SHORTEST)


def _seen(form: str) -> set[str]:
    """A form as it is, and as it shows where hidden characters were taken out."""
    return {form, *(view.text for view in without_hidden(form))}


def _torn(literals: Literals, text: str) -> Iterator[tuple[int, int]]:
    spans = literals.spans(squeezed(text))
    if spans:
        view = squeezed_view(text)
        yield from (view.span(*span) for span in spans)


def _tokens(text: str, views: list[View]) -> Iterator[Span]:
    yield from map(_span, find(text))
    if views:
        yield from map(_span, find(blanked(text)))
    for view in views:
        yield from (_back(token, view) for token in find(view.text))
    seen = views[0] if views else View(text)
    rows = joined_rows(seen.text)
    if rows is not None:
        yield from (_back(token, rows, seen) for token in find(rows.text))


def _span(token: Found) -> Span:
    return Span(token.start, token.end, token.name, token.first, token.last)


def _back(token: Found, *views: View) -> Span:
    inner, outer = (token.start, token.end), (token.first, token.last)
    for view in views:
        inner, outer = view.span(*inner), view.span(*outer)
    return Span(*inner, token.name, *outer)


def _merged(spans: list[Span]) -> list[Span]:
    """In order, those that overlap as one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        last = merged[-1] if merged else None
        if last is None or span.start >= last.end:
            merged.append(span)
            continue
        merged[-1] = Span(
            last.start,
            max(last.end, span.end),
            _name(last.name, span.name),
            min(last.first, span.first),
            max(last.last, span.last),
        )
    return merged


def _name(one: str, other: str) -> str:
    """A configured secret wins, but over a private key: that goes on to its end, whatever else is in it."""
    if PRIVATE_KEY in (one, other):
        return PRIVATE_KEY
    return one and other and (other if one in GENERIC else one)
