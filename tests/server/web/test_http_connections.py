"""Connections whose peers take their time, and more of them than there may be."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gradgate.server.protocol import limits
from gradgate.server.web import http_connections, peer_watch
from gradgate.server.web.assets import STATIC
from gradgate.server.web.http_connections import most_connections
from gradgate.server.web.service import Service
from tests.support.crowd import connected, request, upgrade
from tests.support.probing import hello
from tests.support.storing import settings
from tests.support.waiting import wait_for

LARGE = "/static/any/vendor/plotly-basic.min.js"
RUN = "a" * 16
COMMANDS = f"/api/runs/{RUN}/commands"
JSON = ("Content-Type: application/json", "Content-Length: 9")
HEADS: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda url: b"",
    "half a line": lambda url: b"GET /api/ru",
    "half a head": lambda url: request(url, "/api/runs"),
    "half a handshake": lambda url: upgrade(url, "/api/ingest")[:-2],
    "half a body": lambda url: request(url, COMMANDS, *JSON, method="POST") + b"\r\n{",
    "half a body after its answer": lambda url: (
        request(url, "/api/runs", "Content-Length: 999999", method="POST") + b"\r\n{"
    ),
    "half a second head": lambda url: request(url, "/healthz") + b"\r\nGET /health",
}


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Service]]:
    """Starts a server with less patience than one has."""
    monkeypatch.setattr(peer_watch, "LOOK", 0.1)
    monkeypatch.setattr(http_connections, "REQUEST_WITHIN", 0.5)
    started: list[Service] = []

    def start() -> Service:
        started.append(Service(replace(settings(tmp_path), port=0)).__enter__())
        return started[-1]

    yield start
    for each in started:
        each.stop()


@contextmanager
def page_of(service: Service) -> Iterator[str]:
    """The address of the socket of a live run's page."""
    base = f"ws{service.url.removeprefix('http')}"
    with connect(f"{base}/api/ingest") as probe:
        probe.send(json.dumps(hello(RUN)))
        probe.recv(20)
        yield f"{base}/api/runs/{RUN}/live"


@pytest.fixture
def open_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all connections there may be eight."""
    monkeypatch.setattr(http_connections.limits, "CONNECTIONS", 8)


@pytest.mark.parametrize("head", HEADS)
def test_a_request_that_does_not_come_is_not_waited_for(
    serve: Callable[[], Service], head: str
) -> None:
    """Ten that send the beginning of one and no more are dropped, and others are answered."""
    url = serve().url
    with closing(connected(url, 10, HEADS[head](url))) as peers:
        assert httpx.get(f"{url}/healthz").status_code == 200
        wait_for(lambda: peers.gone() == 10, 20, "all of them are dropped")


def test_an_answer_that_is_not_read_is_given_up(serve: Callable[[], Service]) -> None:
    """A peer that asks for more than the system keeps for it, and does not read, is dropped."""
    url = serve().url
    assert (STATIC / "vendor/plotly-basic.min.js").stat().st_size > 2**20
    with closing(connected(url, 3, (request(url, LARGE) + b"\r\n") * 30)) as peers:
        wait_for(lambda: peers.gone() == 3, 20, "all of them are dropped")


def test_a_page_that_is_quiet_stays(serve: Callable[[], Service]) -> None:
    """A socket of a page says nothing for long, and is no request that does not come."""
    service = serve()
    with page_of(service) as address, connect(address) as page:
        with closing(connected(service.url, 3, b"GET")) as peers:
            wait_for(lambda: peers.gone() == 3, 20, "those that are late are dropped")
        page.ping().wait(20)


def test_who_asks_is_served_however_many_do_not(
    open_to: None, serve: Callable[[], Service]
) -> None:
    """Where there are as many connections as there may be, the one that waits longest goes."""
    service = serve()
    with (
        page_of(service) as address,
        connect(address) as page,
        closing(connected(service.url, 30, b"GET")) as peers,
    ):
        assert httpx.get(f"{service.url}/healthz").status_code == 200
        assert peers.gone() >= 30 - 8
        page.ping().wait(20)


def test_no_more_than_there_may_be_are_served(open_to: None, serve: Callable[[], Service]) -> None:
    """Where nobody can go, whoever comes is told so, and is served once there is room."""
    service = serve()
    with page_of(service) as address:
        with ExitStack() as stack:
            for _ in range(7):
                stack.enter_context(connect(address))
            assert httpx.get(f"{service.url}/healthz").status_code == 503
        health = f"{service.url}/healthz"
        wait_for(lambda: httpx.get(health).status_code == 200, 20, "there is room")


def test_only_so_many_pages(monkeypatch: pytest.MonkeyPatch, serve: Callable[[], Service]) -> None:
    """One page more than the limit is turned away and told why, and the others stay."""
    monkeypatch.setattr(limits, "BROWSER_CONNECTIONS", 3)
    with page_of(serve()) as address, ExitStack() as stack:
        pages = [stack.enter_context(connect(address)) for _ in range(3)]
        with connect(address) as late, pytest.raises(ConnectionClosed, match="3 browser"):
            late.recv(20)
        for page in pages:
            page.ping().wait(20)
        pages.pop().close()
        wait_for(lambda: _is_taken(address), 20, "there is room again")


def _is_taken(address: str) -> bool:
    with connect(address) as page:
        try:
            page.recv(20)
        except ConnectionClosed:
            return False
        return True


def test_what_is_no_request_fills_no_log(
    serve: Callable[[], Service], caplog: pytest.LogCaptureFixture
) -> None:
    """It is answered with 400, or as if it asked for no upgrade, and nothing is logged."""
    url = serve().url
    for sent in (
        b"?\r\n\r\n",
        request(url, "/healthz", "Connection: upgrade, close", "Upgrade: h2c") + b"\r\n",
    ):
        with closing(connected(url, 5, sent)) as peers:
            wait_for(lambda: peers.gone() == 5, 20, "they are answered and dropped")
    assert caplog.records == []


def test_files_are_allowed_for_connections() -> None:
    """The process may open as many files as its connections take, as far as the system lets it."""
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, kept[1]))
        most = most_connections()
        assert most <= limits.CONNECTIONS
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
