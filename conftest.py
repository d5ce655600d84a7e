"""For the tests of every member: what one test does to the program's logging is undone before the next."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command line in a test's own process turns propagation off, and `caplog` would hear nothing any more."""
    logger = logging.getLogger("tmux_sentry")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)
