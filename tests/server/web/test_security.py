"""Who may talk to the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from gradgate.server.web.security import CONTENT_SECURITY_POLICY, NOTEBOOKS, Policy, secured
from gradgate.server.web.settings import Settings
from gradgate.server.web.tokens import Kind, Token, Tokens
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

TOKEN = "correct horse battery staple ü"
HEADER_TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants a token, with one run."""
    data = tmp_path_factory.mktemp("guarded")
    with ServerProcess(data, "--token", HEADER_TOKEN) as server:
        with FakeProbe(
            server, hello("0" * 16), additional_headers={"Authorization": f"Bearer {HEADER_TOKEN}"}
        ) as probe:
            assert probe.welcome["type"] == "welcome"
        yield server


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that believes a proxy on this machine."""
    data = tmp_path_factory.mktemp("behind_proxy")
    with ServerProcess(data, "--forwarded-allow-ips", "127.0.0.1") as server:
        yield server


def policy(host: str = "127.0.0.1", *allowed: str) -> Policy:
    """The policy of a server with some settings."""
    return Policy(secured(Settings(Path(), host=host, allow_hosts=allowed)))


@pytest.mark.parametrize(
    ("host", "bound", "answered"),
    [
        ("127.0.0.1:8765", "127.0.0.1", True),
        ("localhost:8765", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("[::1]:8765", "127.0.0.1", True),
        ("evil.example:8765", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("10.0.0.5:8765", "127.0.0.1", False),
        ("gate.example", "127.0.0.1", True),
        ("10.0.0.5:8765", "0.0.0.0", True),
        ("[fe80::1]:8765", "0.0.0.0", True),
        (socket.gethostname(), "0.0.0.0", True),
        ("evil.example", "0.0.0.0", False),
        ("gate.example", "0.0.0.0", True),
        ("[broken", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        (None, "127.0.0.1", False),
    ],
)
def test_hosts_that_are_answered(host: str | None, bound: str, answered: bool) -> None:
    """On loopback its names, elsewhere addresses and the machine's name, and what is allowed."""
    fault = policy(bound, "gate.example").host_fault(host)
    assert (fault is None) == answered
    assert fault is None or "--allow-host" in fault


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("http://127.0.0.1:8765", True),
        ("HTTP://127.0.0.1:8765", True),
        ("https://127.0.0.1:8765", False),
        ("http://me@127.0.0.1:8765", False),
        ("http://127.0.0.1:8765/page", False),
        ("ws://127.0.0.1:8765", False),
        ("http://127.0.0.1:9999", False),
        ("http://localhost:8765", False),
        ("https://evil.example", False),
        ("https://gate.example", False),
        ("http://gate.example:8765", False),
        ("http://[::1", False),
        ("null", False),
        ("", False),
        ("file://127.0.0.1:8765", False),
    ],
)
def test_origins_that_are_accepted(origin: str | None, accepted: bool) -> None:
    """The scheme and the authority that were asked, or none at all."""
    fault = policy("127.0.0.1", "gate.example").origin_fault(origin, "http", "127.0.0.1:8765")
    assert (fault is None) == accepted


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "accepted"),
    [
        ("https://gate.example", "https", "gate.example", True),
        ("https://gate.example", "https", "gate.example:443", True),
        ("https://gate.example:443", "https", "gate.example", True),
        ("http://gate.example", "http", "gate.example:80", True),
        ("http://gate.example", "https", "gate.example", False),
        ("https://gate.example", "http", "gate.example", False),
        ("http://gate.example:443", "http", "gate.example", False),
        ("http://gate.example:8080", "http", "gate.example", False),
        ("https://other.example", "https", "gate.example", False),
    ],
)
def test_an_allowed_host_is_one_origin_only(
    origin: str, scheme: str, host: str, accepted: bool
) -> None:
    """Another port or scheme of an allowed name is another program's page."""
    allowing = policy("127.0.0.1", "gate.example", "other.example")
    assert (allowing.origin_fault(origin, scheme, host) is None) == accepted


@pytest.mark.parametrize(("scheme", "accepted"), [("https", True), ("http", False), (None, False)])
def test_a_proxy_that_ends_tls_says_so(
    behind_proxy: ServerProcess, run: str, scheme: str | None, accepted: bool
) -> None:
    """By X-Forwarded-Proto, where it is trusted; a page over https is then the server's own."""
    own = "https" + behind_proxy.url.removeprefix("http")
    forwarded = {} if scheme is None else {"X-Forwarded-Proto": scheme}
    headers = {"Origin": own, **forwarded}
    with FakeProbe(behind_proxy, hello(run)), ExitStack() as stack:
        path = f"{behind_proxy.url}/api/runs/{run}"
        answer = httpx.patch(path, json={"notes": "x"}, headers=headers)
        assert answer.status_code == (200 if accepted else 403)
        address = f"{behind_proxy.ws_url}/api/runs/{run}/live"
        if not accepted:
            assert f"was asked as '{behind_proxy.url}'" in answer.json()["detail"]
            stack.enter_context(pytest.raises(InvalidStatus, match="403"))
        page = stack.enter_context(
            connect(address, origin=Origin(own), additional_headers=forwarded)
        )
        assert json.loads(page.recv(20))["type"] == "run"


@pytest.mark.parametrize("given", ["", "correct", TOKEN + "x", TOKEN.upper()])
def test_only_the_token_is_the_token(given: str) -> None:
    """A token is compared whole, and may have any characters."""
    tokens = Tokens([Token("token", Kind.FULL, TOKEN)])
    assert tokens.find(TOKEN)
    assert not tokens.find(given)


def test_a_token_is_made_for_any_address_but_loopback() -> None:
    """Each server beyond this machine gets a long token of its own, and a given one is kept."""
    tokens = {secured(Settings(Path(), host="0.0.0.0")).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(token and len(token) >= 32 for token in tokens)
    assert secured(Settings(Path(), host="127.0.0.1")).token is None
    assert secured(Settings(Path(), host="0.0.0.0", token="mine")).token == "mine"


@pytest.mark.parametrize("path", ["/", "/api/runs", "/healthz", "/static/v/css/base.css"])
def test_another_host_is_refused_on_every_route(shared_server: ServerProcess, path: str) -> None:
    """DNS rebinding gets a 400 with a sentence, whatever it asks for."""
    answer = shared_server.page(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "--allow-host evil.example" in answer.text


def test_another_origin_changes_nothing(shared_server: ServerProcess, run: str) -> None:
    """What would change something is a 403 from another page; a GET is answered."""
    path = f"{shared_server.url}/api/runs/{run}/commands"
    evil = {"Origin": "https://evil.example"}
    with FakeProbe(shared_server, hello(run)):
        body = {"kind": "freeze", "target": "a"}
        answer = httpx.post(path, json=body, headers=evil)
        assert answer.status_code == 403
        assert "https://evil.example" in answer.json()["detail"]
        assert httpx.get(path, headers=evil).json() == {"commands": []}
        own = httpx.post(path, json=body, headers={"Origin": shared_server.url})
        assert own.status_code == 202
    run_path = f"{shared_server.url}/api/runs/{run}"
    assert httpx.patch(run_path, json={"notes": "x"}, headers=evil).status_code == 403
    assert httpx.delete(run_path, headers=evil).status_code == 403
    assert httpx.get(run_path).json()["notes"] == ""


@pytest.mark.parametrize("path", ["/api/ingest", "/api/runs/0000000000000000/live"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 400)],
)
def test_no_socket_for_another_origin_or_host(
    shared_server: ServerProcess, path: str, headers: dict[str, str], status: int
) -> None:
    """Neither WebSocket opens for a page of another origin or under another name."""
    with socket.create_connection(("127.0.0.1", shared_server.port)) as plain:
        wanted = {
            "Host": f"127.0.0.1:{shared_server.port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **headers,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in wanted.items())]
        plain.sendall("\r\n".join([*lines, "", ""]).encode())
        assert plain.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_refused_sockets_do_not_fill_the_log(tmp_path: Path) -> None:
    """Sixty of four kinds are one line for the first, and no error: the rest are told by count."""
    evil = Origin("https://evil.example")
    with ServerProcess(tmp_path, "--token", HEADER_TOKEN) as server:
        ingest, live = f"{server.ws_url}/api/ingest", f"{server.ws_url}/api/runs/{'0' * 16}/live"
        for _ in range(15):
            for address in (ingest, live):
                with pytest.raises(InvalidStatus, match="403"):
                    connect(address, origin=evil)
                with connect(address) as denied, pytest.raises(ConnectionClosed):
                    list(denied)
        lines = [line for line in server.output.splitlines() if "refused" in line]
    assert "WARNING: A socket was refused: A page of 'https://evil.example'" in lines[0]
    assert len(lines) <= 2  # on a slow machine the first count was due, too
    assert "ERROR" not in server.output


def test_a_socket_opens_for_the_own_origin(shared_server: ServerProcess, run: str) -> None:
    """A browser sends the page's origin, and gets in."""
    with FakeProbe(shared_server, hello(run)):
        address = f"{shared_server.ws_url}/api/runs/{run}/live"
        with connect(address, origin=shared_server.url) as browser:  # type: ignore[arg-type]
            assert json.loads(browser.recv(20))["type"] == "run"


def test_a_malformed_origin_is_refused(shared_server: ServerProcess) -> None:
    """What is no origin at all is a 403 too."""
    answer = httpx.post(
        f"{shared_server.url}/api/runs/0000000000000000/commands",
        json={"kind": "freeze", "target": "a"},
        headers={"Origin": "http://[::1"},
    )
    assert answer.status_code == 403


def test_every_answer_has_the_security_headers(shared_server: ServerProcess) -> None:
    """Pages, data, files and errors alike."""
    for path in ("/", "/docs", "/api/runs", "/static/v/css/base.css", "/nothing", "/healthz"):
        headers = shared_server.page(path).headers
        assert headers["content-security-policy"] == f"{CONTENT_SECURITY_POLICY}'none'"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("bound", "allowed", "path", "ancestors"),
    [
        ("127.0.0.1", (), "/runs/a", NOTEBOOKS),
        ("127.0.0.1", ("https://hub.example",), "/runs/a", (*NOTEBOOKS, "https://hub.example")),
        ("0.0.0.0", ("https://hub.example",), "/runs/a", ("https://hub.example",)),
        ("0.0.0.0", (), "/runs/a", ("'none'",)),
        ("127.0.0.1", ("https://hub.example",), "/", ("'none'",)),
        ("127.0.0.1", ("https://hub.example",), "/api/runs/a", ("'none'",)),
    ],
)
def test_notebooks_may_show_the_page_of_a_run(
    bound: str, allowed: tuple[str, ...], path: str, ancestors: tuple[str, ...]
) -> None:
    """This machine's, where nobody beyond it reaches the server, and those that are named."""
    settings = secured(Settings(Path(), host=bound, allow_frames=allowed))
    assert Policy(settings).frame_ancestors(path) == " ".join(ancestors)


def test_a_page_that_may_be_framed_says_so_in_one_way(shared_server: ServerProcess) -> None:
    """The older header knows no list, and would keep notebooks out."""
    headers = shared_server.page("/runs/nosuch").headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY + " ".join(NOTEBOOKS)
    assert "x-frame-options" not in headers


def test_without_a_token_nothing_is_shown(guarded: ServerProcess) -> None:
    """Data is a 401 in JSON, pages are a 401 with a form to sign in; health and style are open."""
    for path in ("/api/runs", "/openapi.json"):
        answer = guarded.page(path)
        assert answer.status_code == 401
        assert "token" in answer.json()["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/", "/runs/0000000000000000", "/docs", "/?token=wrong"):
        answer = guarded.page(path)
        assert answer.status_code == 401
        assert 'action="/sign-in"' in answer.text
        assert "set-cookie" not in answer.headers
    for path in ("/healthz", "/static/v/css/base.css"):
        assert guarded.page(path).status_code == 200


@pytest.mark.parametrize("credentials", ["Bearer wrong", "Basic abc", HEADER_TOKEN, "Bearer"])
def test_a_wrong_token_is_refused(guarded: ServerProcess, credentials: str) -> None:
    """Only `Bearer` with the right token is let in, for reading and for changing."""
    headers = {"Authorization": credentials}
    assert guarded.page("/api/runs", headers=headers).status_code == 401
    answer = httpx.post(
        f"{guarded.url}/api/runs/0000000000000000/commands",
        json={"kind": "freeze", "target": "a"},
        headers=headers,
    )
    assert answer.status_code == 401


def test_the_token_in_a_header(guarded: ServerProcess) -> None:
    """A script sends `Authorization: Bearer TOKEN`."""
    headers = {"Authorization": f"Bearer {HEADER_TOKEN}"}
    assert guarded.page("/api/runs", headers=headers).status_code == 200


def test_the_token_in_a_url_becomes_a_cookie(guarded: ServerProcess) -> None:
    """The printed URL sets a cookie that no script reads, and leads on without the token."""
    assert guarded.printed_url == f"{guarded.url}/?token={HEADER_TOKEN}"
    with httpx.Client() as browser:
        answer = browser.get(f"{guarded.url}/runs/0000000000000000?token={HEADER_TOKEN}&tab=flow")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/runs/0000000000000000?tab=flow"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        followed = browser.get(guarded.url + answer.headers["location"])
        assert followed.status_code == 200
        assert HEADER_TOKEN not in followed.text + cookie
        assert browser.get(f"{guarded.url}/api/runs").status_code == 200
        answer = browser.get(f"{guarded.url}//evil.example/?token={HEADER_TOKEN}")
        assert answer.headers["location"] == "/evil.example/"


def test_no_answer_holds_the_token(guarded: ServerProcess) -> None:
    """An answer is compressed with what was asked for, so its length must not tell of the token."""
    bearer = {"Authorization": f"Bearer {HEADER_TOKEN}"}
    session = Token("token", Kind.FULL, HEADER_TOKEN).session
    cookie = {"Cookie": f"gradgate_session_{guarded.port}={session}"}
    run = "/api/runs/0000000000000000"
    for path in ("/", "/docs", "/nothing", "/api/runs", f"{run}/nothing", f"{run}/series"):
        for headers in (bearer, cookie, {}):
            for asked in (path, f"{path}?token={HEADER_TOKEN}", f"{path}?points={HEADER_TOKEN}"):
                answer = httpx.get(guarded.url + asked, headers=headers)
                assert answer.status_code != 401 or not headers, asked
                assert session not in answer.text, asked
                if 'action="/sign-in"' not in answer.text:  # a page of nobody's secrets
                    assert HEADER_TOKEN not in answer.text, asked


def test_a_token_in_the_url_of_data_is_not_taken(guarded: ServerProcess) -> None:
    """Tokens in URLs end up in logs, so only pages take them, once."""
    assert guarded.page(f"/api/runs?token={HEADER_TOKEN}").status_code == 401


def test_a_probe_without_the_token_is_told_so(guarded: ServerProcess, run: str) -> None:
    """The probe gets an `error` and close code 1008."""
    with FakeProbe(guarded, hello(run)) as probe:
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert "wants a token" in last["message"]
    assert last["retry"] is False


def test_a_probe_without_the_token_is_not_listened_to(guarded: ServerProcess) -> None:
    """The refusal comes before the probe has said a word."""
    with connect(f"{guarded.ws_url}/api/ingest") as silent:
        assert "wants a token" in json.loads(silent.recv(5))["message"]


def test_only_so_many_probes(server: ServerProcess, run: str) -> None:
    """A connection counts before it says `hello`; one more than the limit is told to come again."""
    address = f"{server.ws_url}/api/ingest"
    with ExitStack() as resources:
        for _ in range(256):
            resources.enter_context(connect(address))
        late = resources.enter_context(connect(address))
        refusal = json.loads(late.recv(5))
        assert "256 probe connections" in refusal["message"]
        assert refusal["retry"] is True
    with FakeProbe(server, hello(run)) as probe:
        assert probe.welcome["type"] == "welcome"


def test_a_browser_without_the_token_is_told_so(guarded: ServerProcess) -> None:
    """The live socket closes with code 1008 and a reason."""
    with (
        connect(f"{guarded.ws_url}/api/runs/0000000000000000/live") as browser,
        pytest.raises(ConnectionClosed, match="wants a token") as caught,
    ):
        browser.recv(20)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_any_other_address_wants_a_token(tmp_path: Path) -> None:
    """On 0.0.0.0 a token is made and printed, and without it nothing is shown."""
    with ServerProcess(tmp_path, "--host", "0.0.0.0") as server:
        base = f"http://127.0.0.1:{server.port}"
        token = server.printed_url.partition("/?token=")[2]
        assert len(token) >= 32
        assert httpx.get(f"{base}/api/runs").status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{base}/api/runs", headers=headers).status_code == 200
