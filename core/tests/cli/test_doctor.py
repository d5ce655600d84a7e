from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from tmux_sentry.cli import doctor
from tmux_sentry.config.hosts import Host
from tmux_sentry.doctor.host import HostFacts
from tmux_sentry.errors import Unreachable
from tmux_sentry.transport.base import Transport


def test_a_host_that_hangs_is_given_up_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    released, ended = threading.Event(), threading.Event()

    def ask_host(transport: Transport, _address: object) -> HostFacts:
        if transport.host == "slow":
            released.wait(20.0)
            ended.set()
        return HostFacts(version="tmux 3.7")

    monkeypatch.setattr("tmux_sentry.doctor.host.ask_host", ask_host)
    monkeypatch.setattr(doctor, "_HOST_TIMEOUT", 0.2)
    try:
        (_, slow), (_, quick) = doctor._ask(cast(Any, None), [Host(name="slow"), Host(name="quick")])
    finally:
        released.set()
        assert ended.wait(20.0)
    assert isinstance(slow, Unreachable)
    assert "slow: it did not answer within" in slow.what
    assert isinstance(quick, HostFacts)
