"""What becomes of a peer that does not read, or is late."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from gradgate.server.web import peer_watch
from gradgate.server.web.peer_watch import LEAST, PeerWatch
from tests.support.loops import run_coroutine


class Transport:
    """Has so many bytes left at each look, and then ends the test."""

    def __init__(self, *left: int, closing: bool = False) -> None:
        self._left = list(left)
        self._closing = closing
        self.aborted = False
        self.over = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        if len(self._left) == 1:
            self.over.set()
        return self._left.pop(0) if self._left else 0

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self.aborted = True
        self.over.set()


async def watched(transport: Transport, *, paused: bool = False, late: bool = False) -> bool:
    """Return whether a peer was dropped, once the transport says no more."""
    watch = PeerWatch(cast(asyncio.Transport, transport), (lambda: True) if late else None)
    if paused:
        watch.pause()
    await asyncio.wait_for(transport.over.wait(), 20)
    watch.end()
    return transport.aborted


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_watch, "LOOK", 0.001)


@pytest.mark.parametrize(
    ("left", "dropped"),
    [
        ((9 * LEAST, 9 * LEAST, 9 * LEAST), True),
        ((9 * LEAST, 8 * LEAST + 1, 8 * LEAST + 1), True),
        ((9 * LEAST, 8 * LEAST, 7 * LEAST, 6 * LEAST), False),
        ((9 * LEAST, 0, 0), False),
        ((10, 10), True),
        ((10, 0), False),
    ],
)
@pytest.mark.parametrize("closing", [False, True])
def test_who_takes_too_little_is_dropped(
    left: tuple[int, ...], dropped: bool, closing: bool
) -> None:
    """Of what waits so much has to be taken from look to look, also after the connection closed."""

    async def run() -> bool:
        return await watched(Transport(*left, closing=closing), paused=not closing)

    assert run_coroutine(run()) is dropped


def test_what_is_not_waited_for_is_no_fault() -> None:
    """As long as more may be written, what is left is new at each look."""
    assert not run_coroutine(_idle())


async def _idle() -> bool:
    return await watched(Transport(10, 10, 10, 10))


def test_a_peer_that_reads_again_is_looked_at_anew() -> None:
    """What was left before it read says nothing of what is left later."""

    async def run() -> bool:
        transport = Transport(10, 10, 10)
        watch = PeerWatch(cast(asyncio.Transport, transport))
        watch.pause()
        watch.resume()
        await asyncio.wait_for(transport.over.wait(), 20)
        watch.end()
        return transport.aborted

    assert not run_coroutine(run())


def test_who_is_late_is_dropped() -> None:
    """Whatever it reads."""

    async def run() -> bool:
        return await watched(Transport(0, 0, 0), late=True)

    assert run_coroutine(run())


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection whose first end has more to send than the system sends without being read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    with one, other:
        one.setblocking(False)
        try:
            while True:
                one.send(bytes(2**16))
        except BlockingIOError:
            yield one, other


class SocketTransport(Transport):
    """Has as much left at each look, beside what the system has taken over."""

    def __init__(self, own: socket.socket) -> None:
        super().__init__(*[9 * LEAST] * 8)
        self._own = own

    def get_extra_info(self, name: str) -> socket.socket:  # type: ignore[override]
        return self._own


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is on its way")
@pytest.mark.parametrize("reads", [True, False])
def test_what_the_system_has_taken_over_counts_too(
    ends: tuple[socket.socket, socket.socket], reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes more only when much of that is gone: who reads slowly till then does read."""
    monkeypatch.setattr(peer_watch, "LOOK", 0.1)
    own, peer = ends
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.01):
            peer.recv(2**14)

    async def run() -> bool:
        return await watched(SocketTransport(own), paused=True)

    reader = threading.Thread(target=read)
    if reads:
        reader.start()
    try:
        assert run_coroutine(run()) is not reads
    finally:
        ended.set()
        if reads:
            reader.join()
