"""Calls into code that may hang: on a daemon thread, with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(Exception):
    """The call did not return in time. It still runs, and what it returns is dropped."""


def call_bounded(call: Callable[[], T], timeout: float, name: str) -> T:
    """The result of `call()`, or whatever it raises; TimedOut after `timeout` seconds.

    The thread, called `name`, is a daemon: a call that hangs in a ThreadPoolExecutor would block the
    interpreter's exit. It must not be used while a module is being imported, because an import on
    the thread would wait for that module's lock.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: they belong to the caller
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name=name, daemon=True).start()
    if not done.wait(timeout):
        raise TimedOut(f"{name} did not finish within {timeout:g} s")
    if errors:
        raise errors[0]
    return results[0]
