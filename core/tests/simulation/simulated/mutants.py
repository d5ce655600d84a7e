"""The product with one of its safeguards taken out: each of these has to turn the simulation red."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tmux_sentry.engine import recovery, resume
from tmux_sentry.state.store import Store
from tmux_sentry.tmux import guard
from tmux_sentry.tmux.guard import Outcome, Word

Changes = Iterator[Any]


def _blind_resend() -> Changes:
    """What has no answer is sent again, without a look at the marker, neither at the start nor later."""
    real = recovery.resolve

    def resolve(intent: Any, pane: Any, newest: int) -> Any:
        asked = intent is not None and intent.status in ("intent", "unknown")
        return ("resend", "hopefully") if asked else real(intent, pane, newest)

    yield patch("tmux_sentry.engine.recovery.resolve", resolve)
    yield patch("tmux_sentry.engine.sending.late", lambda job, ports, fence: None)
    yield patch("tmux_sentry.engine.sending.overtaken", lambda job, ports, fence: False)


def _forget() -> Changes:
    """After a restart nothing is in hand."""
    yield patch.object(resume, "send_in_hand", lambda run: None)


def _settled_first() -> Changes:
    """The journal says `injected` before tmux is asked."""
    real = Store.intend

    def intend(store: Store, action_id: str, step: Any, **values: Any) -> None:
        real(store, action_id, step, **values)
        store.settle(action_id, step, "injected")

    yield patch.object(Store, "intend", intend)


def _intended_last() -> Changes:
    """The intent is committed after the keys."""
    real = guard._converse

    def guarded(job: Any, ports: Any, step: Any, info: Any, fence: Any) -> Any:
        from tmux_sentry.engine import guarded as module

        store, held = ports.store, []
        real_intend = store.intend
        store.intend = lambda *args, **values: held.append((args, values))

        def converse(*args: Any) -> Outcome:
            outcome = real(*args)
            args_, values = held.pop()
            real_intend(*args_, **values)
            return outcome

        try:
            with patch.object(guard, "_converse", converse):
                return module.guarded(job, ports, step, info, fence)
        finally:
            store.intend = real_intend

    yield patch("tmux_sentry.engine.sending.guarded", guarded)


def _without(compared: str, expected: Callable[[list[str]], list[str]]) -> Changes:
    real = guard._expected
    yield patch.object(guard, "_COMPARED", guard._COMPARED.replace(compared, "", 1))
    yield patch.object(guard, "_expected", lambda expect: "/".join(expected(real(expect).split("/"))))


def _no_epoch() -> Changes:
    """The guard does not compare the epoch."""
    yield from _without("/#{@sentry_epoch}", lambda parts: [*parts[:8], *parts[9:]])


def _no_marker() -> Changes:
    """The guard does not compare the marker."""
    yield from _without("/#{@sentry_last}", lambda parts: [*parts[:9], *parts[10:]])


def _no_identity() -> Changes:
    """The guard compares neither the server nor the pane's process."""
    yield from _without("#{pid}/#{start_time}/#{pane_id}/#{pane_pid}/", lambda parts: parts[4:])


def _no_cursor() -> Changes:
    """The guard does not compare the cursor, so half a line that a person has typed goes with ours."""
    yield from _without("/#{cursor_x}/#{cursor_y}", lambda parts: [*parts[:4], *parts[6:]])


def _marker_after() -> Changes:
    """The marker is set by a command of its own, after the keys."""
    real = guard._converse
    marker = re.compile(r"set-option -p -t (%\d+) @sentry_last (\d+) ; ")

    def converse(client: Any, line: str, *args: Any) -> Outcome:
        found = marker.search(line)
        assert found is not None
        outcome = real(client, line.replace(found[0], "", 1), *args)
        if outcome.word is Word.SENT:
            client.command(found[0].removesuffix(" ; "))
        return outcome

    yield patch.object(guard, "_converse", converse)


def _ok_is_enough() -> Changes:
    """tmux's success counts, not its word."""

    def converse(client: Any, line: str, number: str, nonce: str, expect: Any, timeout: float) -> Outcome:
        try:
            replies = client.converse(line, lambda reply: nonce in "".join(reply.lines), timeout)
        except guard.Unreachable:
            return Outcome(word=Word.UNKNOWN)
        return Outcome(word=Word.SENT if replies[-1].ok else Word.REFUSED, marker=number)

    yield patch.object(guard, "_converse", converse)


MUTANTS: dict[str, Callable[[], Changes]] = {
    "blind resend": _blind_resend,
    "forget": _forget,
    "settled first": _settled_first,
    "intended last": _intended_last,
    "no epoch": _no_epoch,
    "no marker": _no_marker,
    "no identity": _no_identity,
    "no cursor": _no_cursor,
    "marker after": _marker_after,
    "ok is enough": _ok_is_enough,
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """The product without that safeguard."""
    changes = list(MUTANTS[name]())
    for change in changes:
        change.start()
    try:
        yield
    finally:
        for change in reversed(changes):
            change.stop()
