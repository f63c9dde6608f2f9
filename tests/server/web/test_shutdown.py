"""How a server stops: what came is stored, whoever is connected is told, and nobody holds it up."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gradgate.server.web.service import STOPS_WITHIN
from gradgate.server.web.shutdown import ANSWERS_WITHIN
from tests.support.damaging import SAMPLES, store_runs
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import blocked
from tests.support.waiting import wait_for

RUN = "a" * 16
COPIES = 16


@pytest.fixture
def stop(server: ServerProcess) -> Iterator[Callable[[], float]]:
    """Stops the server by SIGTERM, and returns how many seconds that took."""

    def stopped() -> float:
        begun = time.monotonic()
        assert server.stop() == 0
        return time.monotonic() - begun

    yield stopped
    assert "Traceback" not in server.output


def unread(server: ServerProcess, request: str) -> socket.socket:
    """Ask for something, and read nothing of the answer but its first byte."""
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.settimeout(20)
    asking.connect(("127.0.0.1", server.port))
    asking.sendall(f"{request}Host: 127.0.0.1:{server.port}\r\n\r\n".encode())
    assert asking.recv(1)
    return asking


def test_whoever_is_connected_is_told_and_what_came_is_stored(
    server: ServerProcess, stop: Callable[[], float]
) -> None:
    """A job and a page are closed with 1012, and what was acknowledged is there, without a gap."""
    with FakeProbe(server, hello(RUN)) as probe:
        with connect(f"{server.ws_url}/api/runs/{RUN}/live") as page:
            page.recv(20)
            for seq in range(1, 501):
                probe.sample(seq, [1.0, 2.0])
            probe.until_acked(1)
            assert stop() < ANSWERS_WITHIN
            code, _ = probe.until_closed()
            with pytest.raises(ConnectionClosed) as closed:
                list(page)
        assert closed.value.rcvd is not None
        assert (code, closed.value.rcvd.code) == (1012, 1012)
    assert "WARNING" not in server.output
    server.restart()
    with FakeProbe(server, hello(RUN)) as again:
        stored = again.welcome["last_seq"]
    assert probe.acked <= stored <= 500
    assert server.get(f"/api/runs/{RUN}")["samples"] == stored


@pytest.mark.sqlite
def test_what_nobody_reads_holds_up_no_stop(tmp_path: Path) -> None:
    """A download and a page that read nothing are cut off, which the log says, and nothing else."""
    store_runs(tmp_path, [RUN])
    with ServerProcess(tmp_path) as server:
        with FakeProbe(server, hello(RUN, [f"p{i}" for i in range(40)])) as probe:
            for seq in range(SAMPLES + 1, COPIES * SAMPLES):
                probe.sample(seq, [1.0] * 40)
            probe.until_acked(COPIES * SAMPLES - 1)
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        with (
            closing(
                unread(server, f"GET /api/runs/{RUN}/export?format=csv&table=samples HTTP/1.1\r\n")
            ),
            closing(unread(server, f"GET /api/runs/{RUN}/live HTTP/1.1\r\n{upgrade}")),
        ):
            begun = time.monotonic()
            assert server.stop() == 0
            assert ANSWERS_WITHIN < time.monotonic() - begun < STOPS_WITHIN
    (line,) = server.output.splitlines()[1:]
    assert line == (
        "WARNING: The server stops, and cuts off 1 answers that were not read within 3 seconds."
    )


def test_a_store_that_cannot_be_written_holds_up_no_stop(tmp_path: Path) -> None:
    """What came meanwhile is not acknowledged, and the log says so; nor does the audit log wait."""
    right, wrong = ({"Authorization": f"Bearer {word}-0123456789"} for word in ("right", "wrong"))
    with (
        ServerProcess(tmp_path, "--token", "right-0123456789") as server,
        FakeProbe(server, hello(RUN), additional_headers=right) as probe,
    ):
        with blocked(server.data):
            probe.sample(1, [1.0, 2.0])
            wait_for(lambda: "cannot be written" in server.output, 20, "it is tried")
            assert server.page("/api/runs", headers=wrong).status_code == 401
            begun = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - begun < STOPS_WITHIN
        assert probe.until_closed()[0] == 1012
    assert probe.acked == 0
    assert "none of that was acknowledged" in server.output
    assert "Traceback" not in server.output
