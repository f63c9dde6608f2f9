"""Signing in and out on a page, revoked tokens, and addresses that guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gradgate.server.web.app import create_app
from gradgate.server.web.sign_in import own_path
from gradgate.server.web.wrong_tokens import MOST
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import settings
from tests.support.waiting import wait_for

SECRETS = {kind: f"{kind}-0123456789abcdef" for kind in ("view", "control", "probe")}
LINES = [f"{kind}er {kind} {secret}" for kind, secret in SECRETS.items()]
RUN = "0" * 16


def write(path: Path, lines: list[str]) -> None:
    """Write a file of tokens."""
    path.touch(0o600)
    path.write_text("\n".join(lines) + "\n")


def closed(socket: ClientConnection) -> str:
    """Read to the end, and return the reason."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(20)
    return socket.close_reason or ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a token of each kind."""
    write(tmp_path / "tokens", LINES)
    return tmp_path / "tokens"


@pytest.fixture
def browser(tmp_path: Path, file: Path) -> Iterator[TestClient]:
    """A browser that has not signed in."""
    app = create_app(replace(settings(tmp_path), token_file=file))
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def sign_in(browser: TestClient, token: str, target: str = "/", **headers: str) -> tuple[int, str]:
    """Send the form, and return the status and where it leads."""
    form = {"token": token, "next": target}
    answer = browser.post("/sign-in", data=form, headers=headers)
    return answer.status_code, answer.headers.get("location", "")


def test_a_browser_is_asked_for_a_token_and_led_on(browser: TestClient) -> None:
    """At the page that it wants, by a form without a script; from then on it is let in."""
    asked = browser.get(f"/runs/{RUN}?tab=metrics&token=")
    assert asked.status_code == 401
    assert '<form class="sheet" method="post" action="/sign-in">' in asked.text
    assert f'name="next" value="/runs/{RUN}?tab=metrics"' in asked.text
    assert sign_in(browser, SECRETS["view"], "/docs?x=1") == (303, "/docs?x=1")
    page = browser.get("/docs")
    assert page.status_code == 200
    assert 'title="Signed in as viewer">Sign out' in page.text
    assert browser.get("/api/runs").status_code == 200


def test_a_script_is_not_sent_to_a_form(browser: TestClient) -> None:
    """Data without a token is a 401 in JSON."""
    answer = browser.get("/api/runs")
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])


def test_the_cookie_is_made_from_the_token_and_does_not_hold_it(browser: TestClient) -> None:
    """No script reads it, no other site's form sends it, and it opens no REST API as a token."""
    answer = browser.post("/sign-in", data={"token": SECRETS["control"]})
    cookie = answer.headers["set-cookie"]
    assert SECRETS["control"] not in cookie
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "secure" not in cookie.lower()
    value = cookie.partition("=")[2].partition(";")[0]
    browser.cookies.clear()
    bearer = {"Authorization": f"Bearer {value}"}
    assert browser.get("/api/runs", headers=bearer).status_code == 401


def test_the_cookie_is_secure_where_the_page_is(browser: TestClient) -> None:
    """Over https no browser sends it in the clear."""
    browser.base_url = "https://127.0.0.1"  # type: ignore[assignment]
    answer = browser.post("/sign-in", data={"token": SECRETS["control"]})
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"token": "wrong"}, 401, "no token of this server"),
        ({"token": ""}, 401, "no token of this server"),
        ({"next": "/docs"}, 401, "no token of this server"),
        ({"token": SECRETS["probe"]}, 403, "wants a view or control token"),
    ],
)
def test_a_token_that_does_not_do_is_said_on_the_form(
    browser: TestClient, form: dict[str, str], status: int, said: str
) -> None:
    """And nobody is signed in."""
    answer = browser.post("/sign-in", data=form)
    assert answer.status_code == status
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


def test_no_other_page_signs_anybody_in_or_out(browser: TestClient) -> None:
    """A form of another origin is a 403."""
    evil = "https://evil.example"
    assert sign_in(browser, SECRETS["view"], origin=evil) == (403, "")
    assert sign_in(browser, SECRETS["view"], origin="http://127.0.0.1") == (303, "/")
    assert browser.post("/sign-out", headers={"Origin": evil}).status_code == 403
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    ("target", "led"),
    [
        ("/", "/"),
        (f"/runs/{RUN}?a=b&c=%2F#d", f"/runs/{RUN}?a=b&c=%2F#d"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("evil", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_this_server_only(target: str, led: str) -> None:
    """Whatever the form, or the address that somebody was lured to, says."""
    assert own_path(target) == led


def test_the_address_that_was_asked_for_leads_nowhere_else(browser: TestClient) -> None:
    """A path that begins as the name of another server, before and after signing in."""
    asked = browser.get("http://127.0.0.1//evil.example/%5C")
    assert 'name="next" value="/evil.example/%5C"' in asked.text


def test_signing_out_takes_the_cookie_away(browser: TestClient) -> None:
    """And ends what is live of it."""
    sign_in(browser, SECRETS["view"])
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/").status_code == 401


@pytest.mark.parametrize("kind", ["view", "control"])
@pytest.mark.parametrize(
    "path", ["/", f"/runs/{RUN}", "/causes/none", "/compare?run=none", "/nowhere", "/audit"]
)
def test_whoever_has_signed_in_can_sign_out_on_every_page(
    browser: TestClient, kind: str, path: str
) -> None:
    """Also on one that says that something is not there, or not allowed."""
    sign_in(browser, SECRETS[kind])
    answer = browser.get(path)
    assert "<!doctype html>" in answer.text
    assert f'title="Signed in as {kind}er"' in answer.text


def test_nobody_signs_in_where_no_token_is_wanted(client: TestClient) -> None:
    """On this machine alone the pages are open, without a form and without a cookie."""
    page = client.get("/")
    assert page.status_code == 200
    assert "Sign out" not in page.text
    for answer in (
        client.get("/sign-in", follow_redirects=False),
        client.post("/sign-in", data={"token": "x"}, follow_redirects=False),
        client.post("/sign-out", follow_redirects=False),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert '=""' in answer.headers.get("set-cookie", '=""')


def test_an_address_that_guesses_waits_whatever_it_shows(browser: TestClient) -> None:
    """By header, address, form and cookie together; data, pages and sockets say how long."""
    for number in range(MOST):
        shown = f"guess-{number}-0123456789"
        way = number % 4
        if way == 0:
            answer = browser.get("/api/runs", headers={"Authorization": f"Bearer {shown}"})
        elif way == 1:
            answer = browser.get(f"/?token={shown}")
        elif way == 2:
            answer = browser.post("/sign-in", data={"token": shown})
        else:
            answer = browser.get("/", headers={"Cookie": f"gradgate_session_80={shown}"})
        assert answer.status_code == 401
    right = {"Authorization": f"Bearer {SECRETS['control']}"}
    for answer in (
        browser.get("/api/runs", headers=right),
        browser.get("/", headers=right),
        browser.get(f"/?token={SECRETS['control']}"),
        browser.post("/sign-in", data={"token": SECRETS["control"]}),
    ):
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert "Too many wrong tokens" in answer.text
        assert "set-cookie" not in answer.headers
    assert browser.get("/").status_code == 401
    assert browser.get("/healthz").status_code == 200


def test_a_revoked_token_ends_with_all_that_it_opened(tmp_path: Path, run: str) -> None:
    """Its page's socket and its job's end a moment later, and those of others stay.

    Somebody who signs out ends the sockets of the token, too: other browsers connect again.
    """
    file = tmp_path / "tokens"
    write(file, LINES)
    bearer = {kind: {"Authorization": f"Bearer {secret}"} for kind, secret in SECRETS.items()}
    with ServerProcess(tmp_path / "data", "--token-file", str(file)) as server, ExitStack() as kept:
        probe = kept.enter_context(
            FakeProbe(server, hello(run), additional_headers=bearer["probe"])
        )
        assert probe.welcome["type"] == "welcome"
        live = f"{server.ws_url}/api/runs/{run}/live"
        viewer = kept.enter_context(connect(live, additional_headers=bearer["view"]))
        controller = kept.enter_context(connect(live, additional_headers=bearer["control"]))
        for each in (viewer, controller):
            each.recv(20)
        with httpx.Client(base_url=server.url) as tab:
            tab.post("/sign-in", data={"token": SECRETS["view"]})
            assert tab.post("/sign-out").status_code == 303
        assert closed(viewer) == "Signed out."
        viewer = kept.enter_context(connect(live, additional_headers=bearer["view"]))
        write(file, [line for line in LINES if " control " in line])
        assert "This token was revoked or changed" in closed(viewer)
        code, last = probe.until_closed()
        assert code == 1008
        assert last is not None
        assert "was revoked" in last["message"]
        assert server.page("/api/runs", headers=bearer["view"]).status_code == 401
        assert server.page("/api/runs", headers=bearer["control"]).status_code == 200
        controller.ping().wait(20)
        file.chmod(0o644)
        wait_for(lambda: "can be read by others" in server.output, 20, "the log says so")
        assert server.page("/api/runs", headers=bearer["control"]).status_code == 200
        for number in range(MOST):
            server.page("/api/runs", headers={"Authorization": f"Bearer guess-{number}"})
        with pytest.raises(InvalidStatus, match="429"):
            connect(live, additional_headers=bearer["control"])


def test_a_revoked_cookie_is_of_no_use(browser: TestClient, file: Path) -> None:
    """It is made anew from each token that there is."""
    sign_in(browser, SECRETS["view"])
    assert browser.get("/").status_code == 200
    write(file, LINES[1:])
    wait_for(lambda: browser.get("/").status_code == 401, 20, "the token is revoked")
