"""A busy socket is read less often and loses nothing; a calm one is read at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tmux_sentry.transport.moderated import INTERVAL, ModeratedSocket

Pair = tuple[ModeratedSocket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    moderated = ModeratedSocket(ours)
    with moderated, theirs:
        yield moderated, theirs


def test_it_is_a_socket_like_another(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"hello")
    assert (ours.recv(2), ours.recv(100)) == (b"he", b"llo")
    ours.sendall(b"back")
    assert theirs.recv(10) == b"back"
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        ours.recv(1)
    theirs.close()
    assert ours.recv(1) == b""


def test_closing_it_from_elsewhere_ends_a_read(pair: Pair) -> None:
    ours, _ = pair
    ended = threading.Event()

    def read() -> None:
        assert ours.recv(1) == b""
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    ours.shutdown(socket.SHUT_RDWR)
    assert ended.wait(5.0)


def echo(theirs: socket.socket, rate: int, size: int, seconds: float) -> threading.Thread:
    """So many packets of that size a second."""

    def send() -> None:
        start = time.monotonic()
        for number in range(int(rate * seconds)):
            time.sleep(max(start + number / rate - time.monotonic(), 0.0))
            theirs.sendall(b"%0*d" % (size, number))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("rate", "size", "busy"), [(50, 8, False), (600, 8, True), (600, 4096, True)])
def test_many_packets_are_read_together(pair: Pair, rate: int, size: int, busy: bool) -> None:
    ours, theirs = pair
    sender = echo(theirs, rate, size, 2.5)
    numbers, wakings = [], 0
    while len(numbers) < int(rate * 2.5):
        wakings += ours.in_hand == 0
        packet = ours.recv(size // 2)
        while len(packet) < size:  # as paramiko reads: two calls for a packet, more where it came in pieces
            packet += ours.recv(size - len(packet))
        numbers.append(int(packet))
    sender.join()
    assert numbers == list(range(int(rate * 2.5)))
    # The first second is needed to notice; then one waking each INTERVAL.
    limit = rate * 1.2 + 1.5 / INTERVAL * 1.5
    assert (wakings < limit < len(numbers)) is busy
