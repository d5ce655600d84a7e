"""What Python itself prints on stderr, warnings and exceptions that nobody caught, leaves like all the rest."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from tmux_sentry.cli import output
from tmux_sentry.cli.app import App


@contextmanager
def clean_hooks(app: App, *, ours: bool) -> Iterator[None]:
    """Through the redactor and the sanitiser: uncaught exceptions, also of threads and finalisers, warnings, and the
    log of libraries that nobody has set up.

    `ours`: the process ends with this program, so they stay; a thread can still fail after the block.
    """
    hooks = _Hooks(app)
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks.process, hooks.thread, hooks.finaliser
    warnings.showwarning = hooks.warning
    logging.lastResort = output.clean_handler(app)
    logging.lastResort.setLevel(logging.WARNING)
    try:
        yield
    finally:
        if not ours:
            sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning, logging.lastResort = before


class _Hooks:
    def __init__(self, app: App) -> None:
        self._app = app

    def process(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        output.trace(error, redact=self._app.redact)

    def thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread else ""
            output.warn(f"an error in the thread {name}", redact=self._app.redact)
            output.trace(args.exc_value, redact=self._app.redact)

    def finaliser(self, args: sys.UnraisableHookArgs) -> None:
        output.warn(f"{args.err_msg or 'an error was ignored in'} {args.object!r}", redact=self._app.redact)
        if args.exc_value is not None:
            output.trace(args.exc_value, redact=self._app.redact)

    def warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        output.warn(f"{filename}:{lineno}: {category.__name__}: {message}", redact=self._app.redact)
