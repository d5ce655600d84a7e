"""A host as plugins see it: programs that are there, that are not, and a host that cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest

from tmux_sentry.contracts import Completed, HostAccess
from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.access import TransportAccess
from tmux_sentry.transport.local import LocalTransport

here: HostAccess = TransportAccess(LocalTransport("here"))


def test_a_program_is_run_to_its_end() -> None:
    done = here.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert done == Completed(status=3, stdout=b"out\n", stderr=b"err\n")
    assert here.name == "here"


def test_a_program_that_is_not_there_is_as_on_any_host() -> None:
    assert here.run(["no-such-program-anywhere"]).status == 127


def test_a_program_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        here.run(["sleep", "60"], timeout=0.2)


def test_bytes_go_to_a_program_and_come_back() -> None:
    with closing(here.open(["cat"])) as pipe:
        pipe.write(b"hello\n")
        assert pipe.read() == b"hello\n"


class Away:
    host = "nas"

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> Completed:
        raise Unreachable("nas cannot be reached", "no route")

    def open(self, argv: Sequence[str]) -> None:
        raise Unreachable("nas cannot be reached", "no route")


def test_a_host_that_cannot_be_reached_is_an_oserror_that_says_why() -> None:
    away: HostAccess = TransportAccess(Away())  # type: ignore[arg-type]
    for call in (lambda: away.run(["true"]), lambda: away.open(["true"])):
        with pytest.raises(ConnectionError, match="nas cannot be reached; no route"):
            call()
