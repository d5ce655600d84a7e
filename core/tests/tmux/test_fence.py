"""Who owns a pane, decided by tmux itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tmux_sentry.contracts import PaneIdentity
from tmux_sentry.errors import Refused
from tmux_sentry.testing.tmux_server import TmuxServer
from tmux_sentry.tmux.client import CommandClient
from tmux_sentry.tmux.guard import Adopted, adopt
from tmux_sentry.tmux.inventory import list_panes

Connect = Callable[[], CommandClient]


@pytest.fixture
def client(tmux_server: TmuxServer, connect: Connect) -> CommandClient:
    tmux_server.new_session()
    return connect()


@pytest.fixture
def identity(client: CommandClient) -> PaneIdentity:
    return list_panes(client).panes[0].identity


def fence(client: CommandClient) -> tuple[str, str, str]:
    pane = list_panes(client).panes[0]
    return pane.epoch, pane.marker, pane.owner


def put(client: CommandClient, values: tuple[str, str, str]) -> None:
    for name, value in zip(("epoch", "last", "owner"), values, strict=True):
        if value:
            assert client.command(f"set-option -p -t %0 @sentry_{name} '{value}'").ok


CASES = {
    # present (epoch, marker, owner), take_over -> result, fence afterwards; asked for: me, epoch 3, marker 10
    "a new pane": (("", "", ""), False, Adopted(epoch=3, marker=10), ("3", "10", "me")),
    "ours already": (("3", "20", "me"), False, Adopted(epoch=3, marker=20), ("3", "20", "me")),
    "ours, newer than we know": (("5", "20", "me"), False, Adopted(epoch=5, marker=20), ("5", "20", "me")),
    "ours, to be raised": (("2", "20", "me"), False, Adopted(epoch=3, marker=20), ("3", "20", "me")),
    "ours, raised with a newer marker": (("2", "5", "me"), False, Adopted(epoch=3, marker=10), ("3", "10", "me")),
    "a foreign one": (("7", "20", "you"), False, Adopted(epoch=7, marker=20, refused="you"), ("7", "20", "you")),
    "a foreign one, taken over": (("7", "20", "you"), True, Adopted(epoch=8, marker=20), ("8", "20", "me")),
    "an orphan": (("7", "20", ""), False, Adopted(epoch=7, marker=20, refused="nobody"), ("7", "20", "")),
    "an orphan, taken over": (("7", "20", ""), True, Adopted(epoch=8, marker=20), ("8", "20", "me")),
    "ours without a marker": (
        ("3", "", "me"), False, Adopted(epoch=3, marker=0, refused="me (damaged fence)"), ("3", "", "me"),
    ),
    "ours without a marker, taken over": (("3", "", "me"), True, Adopted(epoch=4, marker=10), ("4", "10", "me")),
    "hostile values": (
        ("#{pid}", "1/2", "a,b} #(id)"), False,
        Adopted(epoch=0, marker=0, refused="a,b} #(id) (damaged fence)"), ("#{pid}", "1/2", "a,b} #(id)"),
    ),
    "hostile values, taken over": (
        ("#{pid}", "1/2", "a,b} #(id)"), True, Adopted(epoch=3, marker=10), ("3", "10", "me"),
    ),
    "an endless number": (("9" * 400, "1", "you"), True, Adopted(epoch=3, marker=10), ("3", "10", "me")),
}  # fmt: skip


@pytest.mark.parametrize(("present", "take_over", "result", "after"), CASES.values(), ids=CASES.keys())
def test_adoption(
    client: CommandClient,
    identity: PaneIdentity,
    present: tuple[str, str, str],
    take_over: bool,
    result: Adopted,
    after: tuple[str, str, str],
) -> None:
    put(client, present)
    assert adopt(client, identity, "me", 3, 10, take_over=take_over) == result
    assert fence(client) == after


def test_an_owner_with_a_newline_is_told_in_one_line(
    tmux_server: TmuxServer, client: CommandClient, identity: PaneIdentity
) -> None:
    tmux_server.run("set-option", "-p", "-t", "%0", "@sentry_owner", "you\n%exit\nCLAIMED")
    adopted = adopt(client, identity, "me", 3, 10)
    assert adopted.refused == "you %exit CLAIMED (damaged fence)"
    assert client.alive


@pytest.mark.parametrize(
    "other",
    [{"server_pid": 1}, {"server_start": 1}, {"pane_pid": 1}, {"pane_id": "%77"}, {"host": "nas"}],
    ids=["another server", "a restarted server", "a respawned pane", "a pane that is gone", "another host"],
)
@pytest.mark.parametrize("take_over", [False, True])
def test_a_pane_that_is_not_the_one_meant_stays_untouched(
    client: CommandClient, identity: PaneIdentity, other: dict[str, object], take_over: bool
) -> None:
    with pytest.raises(Refused, match=r"not the one|not on here"):
        adopt(client, replace(identity, **other), "me", 1, 0, take_over=take_over)  # type: ignore[arg-type]
    assert fence(client) == ("", "", "")


@pytest.mark.parametrize("present", [("", "", ""), ("7", "20", "dead@host")])
def test_of_six_that_claim_at_once_one_gets_it(
    connect: Connect, client: CommandClient, identity: PaneIdentity, present: tuple[str, str, str]
) -> None:
    put(client, present)
    clients = [connect() for _ in range(6)]
    barrier = threading.Barrier(6)
    results: dict[str, Adopted] = {}

    def claim(number: int) -> None:
        owner = f"worker{number}"
        barrier.wait(5)
        results[owner] = adopt(clients[number], identity, owner, 1, 0, take_over=False)
        if present[0] and results[owner].refused == "dead@host":
            results[owner] = adopt(clients[number], identity, owner, 1, 0, take_over=True)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    owner = fence(client)[2]
    epochs = [adopted.epoch for adopted in results.values() if adopted.refused is None]
    assert results[owner].refused is None
    assert len(epochs) == len(set(epochs))  # a later take-over may fence an earlier one out, but never share its epoch
    assert fence(client)[0] == str(max(epochs))


def test_any_number_of_a_pane_can_be_claimed(tmux_server: TmuxServer, client: CommandClient) -> None:
    """tmux hands what it prints to strftime, where `%4/` is a number with a width."""
    for _ in range(12):
        tmux_server.run("new-window", "-d", "sleep 1000")
    panes = list_panes(client).panes
    assert {"%4", "%9", "%12"} <= {pane.identity.pane_id for pane in panes}
    assert [adopt(client, pane.identity, "me", 1, 0) for pane in panes] == [Adopted(epoch=1, marker=0)] * len(panes)
