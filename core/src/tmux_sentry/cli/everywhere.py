"""Asks all hosts at the same time: one that is slow or down holds up nobody."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from tmux_sentry.errors import SentryError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host

T = TypeVar("T")


def everywhere(
    hosts: Sequence[Host],
    work: Callable[[Host], T],
    *,
    patience: float | None = None,
    waiting: Callable[[Sequence[Host]], None] = lambda hosts: None,
) -> Iterator[tuple[Host, T | SentryError]]:
    """Each host with what `work` returned for it, or the SentryError that it raised, as they come in.

    After every `patience` seconds without news, `waiting` is called with the hosts that are still being asked. Any
    other exception is raised here. The threads are daemons: whoever stops listening waits for nobody.
    """
    answers: queue.SimpleQueue[tuple[Host, T | BaseException]] = queue.SimpleQueue()

    def ask(host: Host) -> None:
        try:
            answers.put((host, work(host)))
        except BaseException as error:
            answers.put((host, error))

    for host in hosts:
        threading.Thread(target=ask, args=(host,), name=f"ask@{host.name}", daemon=True).start()
    left = list(hosts)
    while left:
        try:
            host, answer = answers.get(timeout=patience)
        except queue.Empty:
            waiting(left)
            continue
        left.remove(host)
        if isinstance(answer, BaseException) and not isinstance(answer, SentryError):
            raise answer
        yield host, answer
