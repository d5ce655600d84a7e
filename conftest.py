"""For the tests of every member: the program's logging is as it was before each test, and processes start fast."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from warm import Warm


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command line in a test's own process turns propagation off, and `caplog` would hear nothing any more."""
    logger = logging.getLogger("tmux_sentry")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Where tests get processes of `tmux-sentry` from; nothing of one gets into another. See tests/warm.py."""
    sys.path.insert(0, str(Path(__file__).parent / "tests"))
    from warm import Warm

    started = Warm()
    yield started
    started.close()
