"""Bodies of requests that are too large, or no JSON that could be answered with."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

LIMIT = 64 * 1024


@pytest.fixture
def path(shared_server: ServerProcess, run: str) -> Iterator[str]:
    """The address that commands of a live run go to."""
    with FakeProbe(shared_server, hello(run)):
        yield f"{shared_server.url}/api/runs/{run}/commands"


def post(path: str, content: bytes | Iterator[bytes]) -> httpx.Response:
    """The answer to a body as it is; an iterator is sent in chunks, without its length."""
    return httpx.post(path, content=content, headers={"Content-Type": "application/json"})


def body(length: int) -> bytes:
    """A command of so many bytes, padded with blanks."""
    return b'{"kind": "thaw", "target": "a"}'.ljust(length)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_a_413(path: str, chunked: bool) -> None:
    """Up to the limit a body is taken; a byte more is refused with a sentence, however it comes."""
    for length, status in ((LIMIT, 202), (LIMIT + 1, 413)):
        whole = body(length)
        answer = post(path, iter((whole[:99], whole[99:])) if chunked else whole)
        assert answer.status_code == status
    assert "at most 65536 bytes" in answer.json()["detail"]
    assert len(httpx.get(path).json()["commands"]) == 1


def test_an_announced_body_is_not_waited_for(path: str) -> None:
    """A length beyond the limit is refused before the body comes."""
    address = httpx.URL(path)
    assert address.port is not None
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", address.port), 20) as plain:
        plain.sendall(head.encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "content",
    [
        b'{"kind": "freeze", "target": NaN}',
        b'{"kind": "freeze", "target": 1e999}',
        b'{"kind": "freeze", "target": "\\ud800"}',
        b'{"kind": "freeze", "target": "a", "\\ud800": 1}',
        b'{"kind": NaN, "target": "a"}',
        b"NaN",
        b"{",
        b"",
    ],
)
def test_a_body_that_cannot_be_repeated_is_a_422(path: str, content: bytes) -> None:
    """The answer names the fault and not what was given."""
    answer = post(path, content)
    assert answer.status_code == 422
    for fault in answer.json()["detail"]:
        assert set(fault) == {"type", "loc", "msg"}
    assert httpx.get(path).json() == {"commands": []}


@pytest.mark.parametrize("content", [b"[" * 60_000, b"1" * 5_000, b"\xff\xfe{"])
def test_a_body_that_cannot_be_parsed_is_a_client_error(path: str, content: bytes) -> None:
    """Nesting, digits and bytes beyond the parser's measure are the client's fault."""
    assert post(path, content).status_code in (400, 422)
