"""The program with one guarantee taken out. The harness has to go red for each, or it proves nothing.

Each function changes the modules of the process that it is called in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tmux_sentry.engine import consumed, guarded, recovery, sending
from tmux_sentry.engine.events import SendDone
from tmux_sentry.state.store import Store
from tmux_sentry.tmux import guard


def blind_resend() -> None:
    """After a restart, type again what has no answer, whatever the marker says."""
    recovery._by_marker = lambda intent, pane, newest: ("resend", "mutant")
    sending.late = lambda job, ports, fence: None  # the second net, which would find the marker too


def forget() -> None:
    """After a restart, take what has no answer as typed."""
    recovery._by_marker = lambda intent, pane, newest: ("sent", "mutant")


def settle_first() -> None:
    """Write down that it was typed before it is typed."""
    intend = Store.intend

    def both(store: Store, action_id: str, step: Any, **values: Any) -> None:
        intend(store, action_id, step, **values)
        store.settle(action_id, step, "injected")

    Store.intend = both  # type: ignore[method-assign]


def no_epoch() -> None:
    """A guard that does not compare the epoch."""
    _without("/#{@sentry_epoch}", lambda expect: f"/free/{expect.epoch}/", "/free/")


def no_process() -> None:
    """A guard that does not compare the pane's process."""
    _without("/#{pane_pid}", lambda expect: f"/{expect.identity.pane_pid}/", "/")


def marker_after() -> None:
    """Set the marker in a command of its own, after the keys."""
    converse = guard._converse

    def split(client: Any, line: str, number: str, nonce: str, expect: Any, timeout: float) -> Any:
        pane = expect.identity.pane_id
        mark = f"set-option -p -t {pane} @sentry_last {number}"
        assert f"{mark} ; " in line
        outcome = converse(client, line.replace(f"{mark} ; ", ""), number, nonce, expect, timeout)
        if outcome.word is guard.Word.SENT:
            client.command(mark)
        return outcome

    guard._converse = split


def any_answer() -> None:
    """Take any answer as SENT, as an exit status would be: tmux's is 0 when the guard refuses."""
    converse = guard._converse

    def answered(client: Any, line: str, number: str, *rest: Any) -> guard.Outcome:
        outcome = converse(client, line, number, *rest)
        refused = outcome.word is guard.Word.REFUSED
        return guard.Outcome(word=guard.Word.SENT, marker=number) if refused else outcome

    guard._converse = answered
    # The second net, which would see that the pane shows nothing of it.
    consumed.see = lambda job, *rest: SendDone(action_id=job.action_id)  # type: ignore[assignment]


def two_steps() -> None:
    """Take text without its Enter as the whole send after a restart."""
    recovery._typed = lambda intent: ("sent", "mutant")


def _without(compared: str, expected: Callable[[guard.Expect], str], left: str) -> None:
    whole = guard._expected
    assert guard._COMPARED.count(compared) == 1
    guard._COMPARED = guard._COMPARED.replace(compared, "")

    def shorter(expect: guard.Expect) -> str:
        text, part = whole(expect), expected(expect)
        assert part in text
        return text.replace(part, left, 1)

    guard._expected = shorter


MUTANTS: dict[str, Callable[[], None]] = {
    "blind-resend": blind_resend,
    "forget": forget,
    "settle-first": settle_first,
    "no-epoch": no_epoch,
    "no-process": no_process,
    "marker-after": marker_after,
    "any-answer": any_answer,
    "two-steps": two_steps,
}
assert guarded.guard is guard  # what is patched is what is used
