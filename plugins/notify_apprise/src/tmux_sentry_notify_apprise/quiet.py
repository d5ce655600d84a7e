"""Keeps what Apprise and the libraries under it log from the program's handlers: whole URLs are in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CLIENTS = ("urllib3.connectionpool", "urllib3.util.retry", "requests_oauthlib.oauth1_auth")
_sending: ContextVar[bool] = ContextVar("tmux_sentry_notify_apprise_sending", default=False)


def silence() -> None:
    """Call before Apprise is used; again is harmless.

    Apprise collects the log of a call from its logger and hands it back with the result, which is where the reason
    of a failure is; that needs the level DEBUG, and is why the logger is not simply disabled.
    """
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())  # without one Python prints warnings on stderr itself
    for name in _CLIENTS:
        logging.getLogger(name).addFilter(_of_others)


@contextmanager
def sending() -> Iterator[None]:
    """While a service is talked to: what HTTP clients log on this thread is dropped, and on others not."""
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)


def _of_others(_record: logging.LogRecord) -> bool:
    return not _sending.get()
