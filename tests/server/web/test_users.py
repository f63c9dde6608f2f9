"""Users whom a trusted proxy names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from gradgate.server.web.app import create_app
from gradgate.server.web.proxies import BadProxy, Proxies, networks
from gradgate.server.web.security import secured
from gradgate.server.web.settings import Settings
from gradgate.server.web.tokens import Kind
from gradgate.server.web.users import BadUser, Users, users_from
from tests.support.fronting import ReverseProxy
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import settings
from tests.support.waiting import wait_for

USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
PROXY, OTHER = "10.0.0.1", "10.0.0.2"
CONTROL, PROBE = "control-0123456789abcdef", "probe-0123456789abcdef"
Ask = Callable[..., TestClient]


def known(control: str = "alice, zoë@example.com", groups: str = "ml ops") -> Users:
    """Users of a single sign-on."""
    users = users_from(USER, GROUPS, control, groups)
    assert users is not None
    return users


@pytest.mark.parametrize(
    ("name", "groups", "kind"),
    [
        ("bob", "", Kind.VIEW),
        ("alice", "", Kind.CONTROL),
        ("  alice ", "", Kind.CONTROL),
        ("Alice", "", Kind.VIEW),
        ("zoe\u0308@example.com", "", Kind.CONTROL),
        ("bob", "users, ml ops", Kind.CONTROL),
        ("bob", "users,ml", Kind.VIEW),
        ("bob", ",, ", Kind.VIEW),
    ],
)
def test_what_a_user_may(name: str, groups: str, kind: Kind) -> None:
    """Look, unless the name or a group of it is among those that may change things."""
    user = known().user([name.encode()], [groups.encode()])
    assert user is not None
    assert user.kind is kind


def test_groups_are_believed_where_a_header_is_named_for_them() -> None:
    """A proxy that knows of users alone lets through what a client says of groups."""
    users = users_from(USER, "", "", "")
    assert users is not None
    user = users.user([b"bob"], [b"ml ops"])
    assert user is not None
    assert user.kind is Kind.VIEW


@pytest.mark.parametrize("names", [[], [b""], [b"  "]])
def test_nobody_is_no_user(names: list[bytes]) -> None:
    """A header that is empty names nobody."""
    assert known().user(names, [b"ml ops"]) is None


@pytest.mark.parametrize(
    ("names", "groups", "said"),
    [
        ([b"alice", b"bob"], [], "x-forwarded-user came 2 times: the proxy has to set it"),
        ([b"alice", b"alice"], [], "came 2 times"),
        ([b"bob"], [b"users", b"ml ops"], "x-forwarded-groups came 2 times"),
        ([b"bob,alice"], [], "parentheses, commas or characters that are not seen"),
        ([b"alice (browser)"], [], "parentheses"),
        (["\u202ealice".encode()], [], "not seen"),
        ([b"a\x00b"], [], "not seen"),
        ([b"x" * 129], [], "more than 128 characters"),
        ([b"zo\xeb"], [], "x-forwarded-user is no text in UTF-8"),
        ([b"bob"], [b"\xff"], "x-forwarded-groups is no text in UTF-8"),
    ],
)
def test_users_that_cannot_be(names: list[bytes], groups: list[bytes], said: str) -> None:
    """What two have written, and what the audit log could not tell from another's name."""
    with pytest.raises(BadUser, match=said):
        known().user(names, groups)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("", "", "alice", ""), "without --trust-user-header"),
        (("", GROUPS, "", ""), "without --trust-user-header"),
        (("X User", "", "", ""), "'X User' is no name of a header"),
        ((USER, "", "", "ops"), "no groups are known without --trust-groups-header"),
    ],
)
def test_settings_that_cannot_be(given: tuple[str, str, str, str], said: str) -> None:
    """What would never hold is said when the server is started."""
    with pytest.raises(BadProxy, match=said):
        users_from(*given)


def test_jobs_need_a_token_all_the_same() -> None:
    """One is made where none is given, on this machine, too."""
    assert secured(Settings(Path(), users=known())).token
    assert secured(Settings(Path(), users=known(), token="mine")).token == "mine"


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Asks a server from an address."""
    proxies = Proxies(networks(PROXY))
    app = create_app(replace(settings(tmp_path), token=CONTROL, proxies=proxies, users=known()))
    with ExitStack() as stack:
        stack.enter_context(TestClient(app))

        def ask(peer: str) -> TestClient:
            return TestClient(
                app, "http://127.0.0.1", follow_redirects=False, client=(peer, 1), cookies={}
            )

        yield ask


def test_a_user_needs_no_token(ask: Ask) -> None:
    """Of the trusted proxy; from another address the header is nothing, and nobody is let in."""
    for peer, status in ((PROXY, 200), (OTHER, 401)):
        browser = ask(peer)
        for path in ("/", "/api/runs"):
            assert browser.get(path, headers={USER: "bob"}).status_code == status
            assert browser.get(path, headers={USER: ""}).status_code == 401
            assert browser.get(path).status_code == 401


def test_a_page_says_who_may_not_change_anything(ask: Ask) -> None:
    """By the name that the proxy gives, markup and all; there is no button to sign out."""
    text = ask(PROXY).get("/", headers={USER: "<b>bob"}).text
    assert "&lt;b&gt;bob may look, not change" in text
    assert "Sign out" not in text
    assert "may look, not change" not in ask(PROXY).get("/", headers={USER: "alice"}).text


def test_a_user_that_cannot_be_gets_a_sentence(ask: Ask) -> None:
    """On a page and in data; who signs out is let go."""
    browser = ask(PROXY)
    twice = {USER: "alice, bob"}
    for path in ("/", "/api/runs"):
        answer = browser.get(path, headers=twice)
        assert answer.status_code == 403
        assert "names a user with more than 128 characters, or with parentheses" in answer.text
    assert browser.post("/sign-out", headers=twice).status_code == 303


def test_a_token_that_is_shown_counts_before_a_user(ask: Ask) -> None:
    """A job or a command behind the same proxy is what its token says; a wrong one is nobody."""
    browser = ask(PROXY)
    both = {USER: "bob", "Authorization": f"Bearer {CONTROL}"}
    assert browser.delete("/api/runs/none", headers=both).status_code == 404
    assert browser.delete("/api/runs/none", headers={USER: "bob"}).status_code == 403
    both["Authorization"] = "Bearer wrong"
    assert browser.get("/api/runs", headers=both).status_code == 401
    old = {USER: "bob", "Cookie": "gradgate_session_80=old"}
    assert browser.get("/api/runs", headers=old).status_code == 200


def doubled(server: ServerProcess) -> tuple[int, bool]:
    """What a proxy gets that adds its header to what a client sent, and whether it is told why."""
    raw = HTTPConnection("127.0.0.1", server.port, timeout=20)
    raw.putrequest("GET", "/api/runs")
    for name in ("alice", "bob"):
        raw.putheader(USER, name)
    raw.endheaders()
    answer = raw.getresponse()
    told = "x-forwarded-user came 2 times: the proxy has to set it" in answer.read().decode()
    raw.close()
    return answer.status, told


def test_the_user_of_a_single_sign_on(tmp_path: Path, run: str) -> None:
    """With a real server and proxy: one looks, one steers by name, and the audit log says who.

    A page of another origin does nothing in anybody's name. Sockets stay open when other tokens are
    revoked. What somebody sends past the proxy says nothing.
    """
    file = tmp_path / "tokens"
    file.touch(0o600)
    file.write_text(f"cluster probe {PROBE}\nbot control {CONTROL}\n")
    options = ("--token-file", str(file), "--trust-user-header", USER, "--control-users", "alice")
    freeze = {"kind": "freeze", "target": "a", "by": "browser"}
    commands = f"/api/runs/{run}/commands"
    with ExitStack() as stack:
        allowed = ("--forwarded-allow-ips", "127.0.0.1")
        server = stack.enter_context(ServerProcess(tmp_path / "data", *options, *allowed))
        proxy = stack.enter_context(ReverseProxy(server.port, "", {USER: "bob"}))
        bearer = {"Authorization": f"Bearer {PROBE}"}
        stack.enter_context(FakeProbe(server, hello(run), additional_headers=bearer))
        liar = {USER: "alice"}
        asks = stack.enter_context(httpx.Client(base_url=proxy.url, headers=liar))
        assert asks.get("/api/runs").status_code == 200
        refused = asks.post(commands, json=freeze)
        assert refused.status_code == 403
        assert "The user 'bob' has what a view token allows" in refused.json()["detail"]
        proxy.headers[USER] = "alice"
        evil = "https://evil.example"
        assert asks.post(commands, json=freeze, headers={"Origin": evil}).status_code == 403
        live = f"{proxy.ws_url}/api/runs/{run}/live"
        with pytest.raises(InvalidStatus, match="403"):
            connect(live, origin=Origin(evil))
        assert doubled(server) == (403, True)
        page = stack.enter_context(connect(live, origin=Origin(proxy.url)))
        page.recv(20)
        assert asks.post(commands, json=freeze).json()["by"] == "user alice (browser)"
        file.write_text(f"cluster probe {PROBE}\n")
        shown = {"Authorization": f"Bearer {CONTROL}"}
        gone = lambda: server.page("/api/runs", headers=shown).status_code == 401  # noqa: E731
        wait_for(gone, 20, "the token is revoked")
        page.ping().wait(20)
        assert page.close_code is None
    with ServerProcess(tmp_path / "data", *options, "--forwarded-allow-ips", PROXY) as server:
        for path in ("/", "/api/runs"):
            assert server.page(path, headers=liar).status_code == 401
        wait_for(lambda: "--forwarded-allow-ips 127.0.0.1" in server.output)
