"""The tests' own modules stand beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from github_api import GitHub
from github_asker import TOKEN, Asker, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def github(clock: Clock) -> Iterator[GitHub]:
    """A GitHub whose clock is the test's."""
    with GitHub(token=TOKEN, clock=clock) as server:
        yield server


@pytest.fixture
def ask(github: GitHub, clock: Clock) -> Asker:
    """The check, asked of that GitHub."""
    return Asker(github, clock)
