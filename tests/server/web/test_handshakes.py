"""What a server takes of a socket that has not said hello."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gradgate.server.protocol import limits
from tests.support.crowd import connected, upgrade
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

MIB = 2**20
NAMES = [f"{'long' * 50}{i}" for i in range(2000)]
"""Of a table that takes more than `limits.SMALL_BYTES`."""


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that nobody else uses."""
    with ServerProcess(tmp_path / "data") as server:
        yield server


@pytest.fixture
def unfinished(alone: ServerProcess) -> Iterator[Callable[[int, int, str], ClientConnection]]:
    """Opens sockets that send the beginning of a frame: its length, and so much of it."""
    with ExitStack() as stack:

        def send(length: int, sent: int, path: str = "/api/ingest") -> ClientConnection:
            socket = stack.enter_context(connect(alone.ws_url + path, compression=None))
            # A client masks what it sends; zeros under a mask of zeros are zeros.
            head = struct.pack("!BBQI", 0x81, 0x80 | 127, length, 0)
            with suppress(OSError):
                socket.socket.sendall(head + bytes(sent))
            return socket

        yield send


def closed_one(sockets: Sequence[ClientConnection]) -> ClientConnection | None:
    """Return one that the server has closed, if there is any."""
    return next((each for each in sockets if each.close_code is not None), None)


def last_words(socket: ClientConnection) -> tuple[int, dict[str, object]]:
    """Return the code by which the server closed, and what it said before."""
    said: dict[str, object] = json.loads(socket.recv(20))
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, said


@pytest.mark.parametrize("sent", [50 * MIB - 1, 30 * MIB])
def test_unfinished_frames_before_hello_take_no_memory(
    alone: ServerProcess, unfinished: Callable[..., ClientConnection], sent: int
) -> None:
    """Of twenty sockets, whether one hello could be so large or not, the bound is kept at most."""
    process = psutil.Process(alone.pid)
    before = process.memory_info().rss
    largest = before
    for _ in range(20):
        unfinished(50 * MIB, sent)
        largest = max(largest, process.memory_info().rss)
    assert alone.get("/healthz")["status"] == "ok"
    largest = max(largest, process.memory_info().rss)
    assert largest - before < 2 * limits.WAITING_BYTES
    with FakeProbe(alone, hello("a" * 16)) as probe:
        assert probe.welcome["type"] == "welcome"


def test_all_sockets_together_have_a_bound(
    alone: ServerProcess, unfinished: Callable[..., ClientConnection]
) -> None:
    """One too many is told to try again; a small hello is taken, a large one once there is room."""
    run = "b" * 16
    sockets = [unfinished(30 * MIB, sent) for sent in (30 * MIB - 1, 30 * MIB - 1, 10 * MIB)]
    # What was sent last may be read before the rest of another: that is one too many, then.
    code, said = last_words(wait_for(lambda: closed_one(sockets), 20, "a socket is refused"))
    assert (code, said["retry"]) == (1013, True)
    assert "have not said `hello`" in str(said["message"])
    with FakeProbe(alone, hello("a" * 16)) as probe:
        assert probe.welcome["type"] == "welcome"
    for socket in sockets:
        socket.close()

    def welcomed() -> bool:
        with FakeProbe(alone, hello(run, NAMES)) as probe:
            return bool(probe.welcome["type"] == "welcome")

    wait_for(welcomed, 20, "a large hello is taken")


def test_one_socket_has_a_bound(
    alone: ServerProcess, unfinished: Callable[..., ClientConnection]
) -> None:
    """A frame that grows beyond the largest hello ends it, a page's too."""
    run = "c" * 16
    code, said = last_words(unfinished(60 * MIB, 40 * MIB))
    assert code == 1009
    assert f"at most {limits.FRAME_BYTES} bytes" in str(said["message"])
    FakeProbe(alone, hello(run)).close()
    page = unfinished(60 * MIB, 40 * MIB, f"/api/runs/{run}/live")
    with pytest.raises(ConnectionClosed, match="1009"):
        list(page)


def test_a_probe_that_has_said_hello_is_not_counted(alone: ServerProcess) -> None:
    """Its frames have the limits of frames, however many they are."""
    with ExitStack() as stack:
        probes = [
            stack.enter_context(FakeProbe(alone, hello(f"{i:016x}", NAMES))) for i in range(3)
        ]
        table = hello("d" * 16, NAMES)["parameters"]
        for probe in probes:
            frame = json.dumps({"type": "parameters", "seq": 1, "parameters": table})
            probe.send(frame + " " * (31 * MIB - len(frame)))
        for probe in probes:
            probe.until_acked(1)


def test_pings_that_are_not_read_gather_nothing(alone: ServerProcess) -> None:
    """A probe that pings and never reads has no answers waiting in the server's memory."""
    process = psutil.Process(alone.pid)
    with closing(connected(alone.url, 1, upgrade(alone.url, "/api/ingest"))) as peers:
        (peer,) = peers.open
        peer.settimeout(60)
        assert peer.recv(12).startswith(b"HTTP/1.1 101")
        greeting = json.dumps(hello("e" * 16)).encode()
        peer.sendall(struct.pack("!BBHI", 0x81, 0x80 | 126, len(greeting), 0) + greeting)
        wait_for(lambda: alone.page(f"/api/runs/{'e' * 16}").status_code == 200, 20)
        before = process.memory_info().rss
        peer.sendall((struct.pack("!BBI", 0x89, 0x80 | 125, 0) + bytes(125)) * (30 * MIB // 131))
        assert alone.get("/healthz")["status"] == "ok"
        assert process.memory_info().rss - before < 15 * MIB


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_what_is_refused_may_have_a_close_behind_it(alone: ServerProcess, code: int) -> None:
    """A text that is none and a close in one piece end the socket, and are no fault."""
    with closing(connected(alone.url, 1, upgrade(alone.url, "/api/ingest"))) as peers:
        (peer,) = peers.open
        peer.settimeout(20)
        assert peer.recv(12).startswith(b"HTTP/1.1 101")
        text = struct.pack("!BBIB", 0x81, 0x81, 0, 0xFF)
        peer.sendall(text + struct.pack("!BBIH", 0x88, 0x82, 0, code))
        while peer.recv(4096):
            pass
    assert alone.get("/healthz")["status"] == "ok"
    assert "ERROR" not in alone.output
