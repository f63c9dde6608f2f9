"""A server below a path of a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gradgate.server.web.app import create_app
from gradgate.server.web.assets import STATIC, TEMPLATES
from gradgate.server.web.forwarded import Forwarded
from gradgate.server.web.proxies import BadProxy, Proxies, networks
from gradgate.server.web.root_path import OWN, path_of, read_root_path
from gradgate.server.web.sign_in import own_path
from tests.support.commanding import Terminal
from tests.support.fronting import ReverseProxy
from tests.support.loops import run_coroutine
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import settings

ROOT = "/gradgate"
SECRET = "control-0123456789abcdef"
LINK = re.compile(r"""\b(?:href|action|formaction|src|poster|data-[a-z-]+)=["']?/""")
ABSOLUTE = re.compile(r"""(?P<before>.{0,40})(?<![\\\w])["'`]/(?=[\w?])(?!api/)""")
ASKS = re.compile(r"(?:await|return|=) fetch\(|new (?:WebSocket|EventSource)\(|sendBeacon\(")
API = re.compile(r"""(?:href|assign|location)\b[^;\n]{0,20}["'`]/(?:api/|["'`])""")


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("", ""),
        ("/", ""),
        ("/gradgate", ROOT),
        ("/gradgate/", ROOT),
        ("/a/b-c/d.e~1", "/a/b-c/d.e~1"),
    ],
)
def test_a_path_is_read(text: str, root: str) -> None:
    """Without a slash at its end."""
    assert read_root_path(text) == root


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gradgate", "no path of a proxy: give one such as /gradgate"),
        ("//evil.example", "no path of a proxy"),
        ("/a/../b", "no path of a proxy"),
        ("/a b", "no path of a proxy"),
        ('/a"><script>', "no path of a proxy"),
        ("/a?b", "no path of a proxy"),
        ("/a%2fb", "no path of a proxy"),
        ("https://host/gradgate", "no path of a proxy"),
        ("/api", "begins as paths of the server itself do"),
        ("/runs/x/", "begins as paths of the server itself do"),
    ],
)
def test_a_path_that_cannot_be(text: str, said: str) -> None:
    """What a browser would read as something else, and what the server has itself."""
    with pytest.raises(BadProxy, match=re.escape(said)):
        read_root_path(text)


def below(path: str, root: str, prefix: str | None = None, peer: str = "10.0.0.1") -> Scope:
    """What the application sees of a path."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    headers = [] if prefix is None else [(b"x-forwarded-prefix", prefix.encode())]
    scope: Scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": headers}
    scope |= {"path": path, "raw_path": path.encode()}
    proxies = Proxies(networks("10.0.0.1"), root)
    run_coroutine(Forwarded(app, proxies)(scope, None, None))  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("path", "root", "prefix", "whole", "own"),
    [
        ("/runs/a", "", None, "/runs/a", "/runs/a"),
        ("/runs/a", ROOT, None, "/gradgate/runs/a", "/runs/a"),
        ("/gradgate/runs/a", ROOT, None, "/gradgate/runs/a", "/runs/a"),
        ("/gradgate", ROOT, None, "/gradgate", ""),
        ("/gradgates", ROOT, None, "/gradgate/gradgates", "/gradgates"),
        ("/runs/a", "", "/other/", "/other/runs/a", "/runs/a"),
        ("/runs/a", ROOT, "/other", "/other/runs/a", "/runs/a"),
        ("/runs/a", ROOT, "/x, /other", "/other/runs/a", "/runs/a"),
        ("/runs/a", ROOT, "//evil.example", "/gradgate/runs/a", "/runs/a"),
        ("/runs/a", ROOT, "/runs", "/gradgate/runs/a", "/runs/a"),
        ("/runs/a", ROOT, "", "/gradgate/runs/a", "/runs/a"),
    ],
)
def test_where_a_request_came(
    path: str, root: str, prefix: str | None, whole: str, own: str
) -> None:
    """Whether the proxy takes the path off or not; where it says the path, that is it."""
    scope = below(path, root, prefix)
    assert (scope["path"], scope["raw_path"].decode(), path_of(scope)) == (whole, whole, own)
    assert scope["root_path"] == whole.removesuffix(own)


def test_nobody_else_says_the_path() -> None:
    """A client that is no trusted proxy cannot lead the links of a page anywhere."""
    assert below("/runs/a", "", "/evil", peer="10.0.0.2")["path"] == "/runs/a"


def test_what_a_path_may_not_begin_with_is_what_the_server_has(tmp_path: Path) -> None:
    """Every first part of a route's path, and no other."""
    app = create_app(settings(tmp_path))
    with TestClient(app):
        assert {path.split("/")[1] for path in paths(app.routes) if path != "/"} == OWN


def paths(routes: Iterable[BaseRoute | Any]) -> Iterator[str]:
    """The path of every route, of those in routers too."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is None:
            yield route.path
        else:
            yield from paths(router.routes)


@pytest.mark.parametrize(
    ("target", "led"),
    [
        ("/gradgate/runs/a?b=/..", "/gradgate/runs/a?b=/.."),
        ("/gradgate/", "/gradgate/"),
        ("/", "/gradgate/"),
        ("/gradgate", "/gradgate/"),
        ("/other/app", "/gradgate/"),
        ("/gradgates/x", "/gradgate/"),
        ("/gradgate/../other", "/gradgate/"),
        ("/gradgate/%2E%2e/other", "/gradgate/"),
        ("//evil.example/gradgate/", "/gradgate/"),
    ],
)
def test_signing_in_leads_to_what_is_below_the_path(target: str, led: str) -> None:
    """What else is on the host is somebody else's."""
    assert own_path(target, ROOT) == led


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[TestClient]:
    """A browser that asks a server below a path, which the proxy takes off."""
    known = replace(settings(tmp_path), token=SECRET, proxies=Proxies(root_path=ROOT))
    with TestClient(create_app(known), "http://127.0.0.1", follow_redirects=False) as client:
        yield client


def test_somebody_signs_in_below_the_path(browser: TestClient) -> None:
    """The form, its way on, the cookie's path and every redirect have it; signing out, too."""
    asked = browser.get("/runs/x?tab=a")
    assert f'action="{ROOT}/sign-in"' in asked.text
    assert f'name="next" value="{ROOT}/runs/x?tab=a"' in asked.text
    answer = browser.post("/sign-in", data={"token": SECRET, "next": "/elsewhere"})
    assert answer.headers["location"] == f"{ROOT}/"
    assert f"; Path={ROOT};" in answer.headers["set-cookie"]
    assert browser.get(f"/?token={SECRET}&a=b").headers["location"] == f"{ROOT}/?a=b"
    assert browser.get(f"{ROOT}/docs").status_code == 200
    left = browser.post("/sign-out")
    assert left.headers["location"] == f"{ROOT}/"
    assert f"; Path={ROOT};" in left.headers["set-cookie"]


@pytest.mark.parametrize(
    "path", ["/", "/compare", "/docs", "/causes", "/causes/no_grad", "/runs/none", "/nothing"]
)
def test_every_link_of_a_page_is_below_the_path(browser: TestClient, path: str) -> None:
    """Those of pages that say that there is nothing, too."""
    shown = {"Authorization": f"Bearer {SECRET}"}
    text = browser.get(path, headers=shown).text
    links = re.findall(r"""(?:href|src|action)="(/[^"]*)""", text)
    assert len(links) > 5
    assert [each for each in links if not each.startswith(f"{ROOT}/")] == []


def test_a_notebook_may_frame_the_page_of_a_run(browser: TestClient) -> None:
    """By the path of the page below the proxy's, and no other page."""
    shown = {"Authorization": f"Bearer {SECRET}"}
    for path, framed in (("/runs/none", True), ("/docs", False)):
        policy = browser.get(f"{ROOT}{path}", headers=shown).headers["content-security-policy"]
        assert ("frame-ancestors 'none'" not in policy) is framed


def test_openapi_names_the_path(browser: TestClient) -> None:
    """As the server of the routes, which stay as they are."""
    document = browser.get("/openapi.json", headers={"Authorization": f"Bearer {SECRET}"}).json()
    assert document["servers"] == [{"url": ROOT}]
    assert "/api/runs" in document["paths"]


def test_no_file_has_a_link_from_the_top() -> None:
    """Templates have their `root` before it, modules `rooted`, which two ask the server with."""
    faults = [
        f"{path.name}: {match[0]}"
        for path in sorted(TEMPLATES.glob("*.html"))
        for match in LINK.finditer(path.read_text("utf-8"))
    ]
    asking = set()
    for path in set(STATIC.rglob("*.js")) - set(STATIC.glob("vendor/*")):
        text = path.read_text("utf-8")
        found = (match for match in ABSOLUTE.finditer(text) if "rooted(" not in match["before"])
        faults += [f"{path.name}: {match[0]}" for match in (*found, *API.finditer(text))]
        if ASKS.search(text):
            asking.add(path.name)
    assert faults == []
    assert asking == {"api.js", "live_connection.js"}


@pytest.mark.parametrize("strips", [True, False])
def test_a_server_behind_a_proxy_with_a_path(tmp_path: Path, run: str, strips: bool) -> None:
    """Jobs, commands of a shell, reads and redirects reach it by the proxy's address."""
    options = ("--root-path", "/gradgate/")
    with (
        ServerProcess(tmp_path, *options) as server,
        ReverseProxy(server.port, strips=strips) as proxy,
        FakeProbe(proxy, hello(run, name="below")) as probe,
    ):
        assert server.url == f"http://127.0.0.1:{server.port}{ROOT}"
        assert httpx.get(f"{proxy.url}/healthz").status_code == 200
        led = httpx.get(f"{proxy.url}/runs/below")
        assert led.headers["location"] == f"{ROOT}/runs/{run}"
        assert httpx.get(proxy.url, follow_redirects=True).status_code == 200
        asked = Terminal().run("freeze", run, "a", "--no-wait", "--server", f"{proxy.url}/")
        assert asked.exit_code == 0
        assert probe.until_command(1)["kind"] == "freeze"
        assert proxy.strays == []
