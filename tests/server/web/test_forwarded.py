"""What a proxy says of a request is believed where it is trusted, and taken out anywhere."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gradgate.server.web.forwarded import Forwarded
from gradgate.server.web.proxies import Proxies, networks
from gradgate.server.web.wrong_tokens import MOST
from tests.support.loops import run_coroutine
from tests.support.serving import ServerProcess

PROXY = "10.0.0.1"
TRUSTED = Proxies(networks("10.0.0.0/24"))
SECRET = "0123456789-abcdefghij"


def passed(
    *headers: tuple[str, str],
    peer: str = PROXY,
    proxies: Proxies = TRUSTED,
    kind: str = "http",
) -> Scope:
    """What the application sees of a request with these headers."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def ask() -> None:
        given = [(b"host", b"inside:8765"), *((n.encode(), v.encode()) for n, v in headers)]
        scope = {"type": kind, "scheme": {"http": "http", "websocket": "ws"}[kind]}
        scope |= {"client": (peer, 4321), "headers": given, "path": "/"}
        await Forwarded(app, proxies)(scope, None, None)  # type: ignore[arg-type]

    run_coroutine(ask())
    return seen[0]


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ([], PROXY),
        (["198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7:5000"], "198.51.100.7"),
        (["[2001:db8::7]:5000"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        (["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["unknown"], PROXY),
        (["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ([""], PROXY),
        (["x" * 10_000], PROXY),
    ],
)
def test_who_asked_the_proxy(said: list[str], client: str) -> None:
    """It is the last address that no trusted proxy has: what stands before it, anybody may say."""
    scope = passed(*(("x-forwarded-for", each) for each in said))
    assert scope["client"][0] == client


@pytest.mark.parametrize(
    ("kind", "said", "scheme"),
    [
        ("http", "https", "https"),
        ("http", "HTTPS", "https"),
        ("http", "wss", "https"),
        ("http", "http, https", "https"),
        ("http", "https, http", "http"),
        ("http", "gopher", "http"),
        ("websocket", "https", "wss"),
        ("websocket", "wss", "wss"),
        ("websocket", "http", "ws"),
    ],
)
def test_by_which_scheme_the_proxy_was_asked(kind: str, said: str, scheme: str) -> None:
    """As the nearest proxy says, for pages and sockets alike."""
    assert passed(("x-forwarded-proto", said), kind=kind)["scheme"] == scheme


@pytest.mark.parametrize(
    ("said", "host"),
    [
        ([], b"inside:8765"),
        (["gate.example"], b"gate.example"),
        (["evil.example, gate.example"], b"gate.example"),
        (["evil.example", "gate.example:8443"], b"gate.example:8443"),
        ([""], b"inside:8765"),
    ],
)
def test_by_which_name_the_proxy_was_asked(said: list[str], host: bytes) -> None:
    """As the nearest proxy says; there is one Host, which is looked at like any other."""
    scope = passed(*(("x-forwarded-host", each) for each in said))
    assert [value for name, value in scope["headers"] if name == b"host"] == [host]


@pytest.mark.parametrize(
    ("peer", "proxies"), [(PROXY, Proxies()), ("198.51.100.1", TRUSTED), ("", TRUSTED)]
)
def test_nobody_else_is_believed(
    peer: str, proxies: Proxies, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing changes, nothing is left of it, and the log says what to do if it was the proxy."""
    lies = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "x"),
    ]
    with caplog.at_level(logging.WARNING, "gradgate.server"):
        scope = passed(*lies, ("accept", "*/*"), peer=peer, proxies=proxies)
    assert (scope["client"], scope["scheme"]) == ((peer, 4321), "http")
    assert scope["headers"] == [(b"host", b"inside:8765"), (b"accept", b"*/*")]
    assert f"--forwarded-allow-ips {peer}" in caplog.text


def test_a_guess_is_counted_by_the_address_that_a_trusted_proxy_names(tmp_path: Path) -> None:
    """With nobody trusted, whoever is on this machine waits, whatever address it invents."""
    for options, last in (((), 429), (("--forwarded-allow-ips", "127.0.0.1"), 401)):
        with ServerProcess(tmp_path, "--token", SECRET, *options) as server, httpx.Client() as asks:
            for number in range(MOST + 1):
                shown = {
                    "Authorization": f"Bearer guess-{number}",
                    "X-Forwarded-For": f"198.51.100.{number}",
                }
                answer = asks.get(f"{server.url}/api/runs", headers=shown)
            assert answer.status_code == last
            assert server.output.count("(X-Forwarded-…), which are ignored") == (last == 429)
            form = {"token": SECRET}
            secure = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.99"}
            answer = asks.post(f"{server.url}/sign-in", data=form, headers=secure)
            assert ("; Secure" in answer.headers.get("set-cookie", "")) == (last == 401)
