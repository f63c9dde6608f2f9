"""Tokens with names: how they are read, and what each kind allows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gradgate.server.web.security import wanted_right
from gradgate.server.web.tokens import (
    BadTokens,
    Kind,
    Right,
    Token,
    Tokens,
    read_file,
    read_lines,
)
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

SECRETS = {kind: f"{kind}-0123456789abcdef" for kind in ("view", "control", "probe")}
LINES = [
    f"alice control {SECRETS['control']}",
    f"wall view {SECRETS['view']}",
    f"cluster probe {SECRETS['probe']}",
]
HIDDEN = "s3cret-s3cret-s3cret-s3cret-s3cret-s3cret"
PAGES = ("/", "/audit", "/docs", "/compare", "/causes", "/openapi.json")
FREEZE = {"kind": "freeze", "target": "a", "by": "mallory"}


def bearer(kind: str) -> dict[str, str]:
    """The header that shows a token of a kind."""
    return {"Authorization": f"Bearer {SECRETS[kind]}"}


def token_file(folder: Path, lines: list[str], mode: int = 0o600) -> Path:
    """A file of tokens."""
    path = folder / "tokens"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a token of each kind, and the one that has no name in the environment."""
    folder = tmp_path_factory.mktemp("tokens")
    file = token_file(folder, ["# who may do what", "", *LINES])
    with ServerProcess(folder / "data", "--token-file", str(file)) as server:
        yield server


def test_a_file_has_a_token_in_each_line(tmp_path: Path) -> None:
    """Empty lines and comments aside; what a token is made of is not shown by accident."""
    read = read_file(token_file(tmp_path, ["# a comment", "", *LINES]))
    assert [(each.name, each.kind) for each in read] == [
        ("alice", Kind.CONTROL),
        ("wall", Kind.VIEW),
        ("cluster", Kind.PROBE),
    ]
    assert SECRETS["view"] not in repr(read)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence says how to mend it."""
    path = token_file(tmp_path, LINES, mode)
    with pytest.raises(BadTokens, match=f"mode is {mode:04o}.*chmod 600 {path}"):
        read_file(path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"alice {HIDDEN}"], "Line 1 of the file .* it has to be NAME KIND TOKEN"),
        ([*LINES, f"bob root {HIDDEN}"], "Line 4 .* a kind is one of view, control, probe"),
        ([f"bob full {HIDDEN}"], "a kind is one of"),
        ([f"{HIDDEN} view bob"], "a name has up to 32"),
        ([f"python view {HIDDEN}"], "is none of python, token"),
        (["bob view short"], "at least 16 .* makes one"),
        ([f"bob view {HIDDEN}ü"], "at least 16"),
        ([f"bob view {HIDDEN}", f"bob probe {HIDDEN}x"], "Line 2 .* the same name"),
        ([f"bob view {HIDDEN}", f"eve control {HIDDEN}"], "Line 2 .* the same token"),
        (["# nobody"], "There is no token in the file"),
    ],
)
def test_what_is_no_token_is_said_without_repeating_it(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    """By the number of its line, and what a line has to be."""
    with pytest.raises(BadTokens, match=message) as caught:
        read_file(token_file(tmp_path, lines))
    assert HIDDEN not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(BadTokens, match="cannot be read \\(No such file"):
        read_file(tmp_path / "nothing")


def test_only_the_whole_token_is_found() -> None:
    """Among several, and none for what is empty or left out."""
    tokens = Tokens(read_lines(LINES, "the test"))
    for kind in (Kind.VIEW, Kind.CONTROL, Kind.PROBE):
        found = tokens.find(SECRETS[kind.name.lower()])
        assert found is not None
        assert found.kind is kind
    for wrong in ("", SECRETS["view"][:-1], SECRETS["view"] + "x", "alice", "ü"):
        assert tokens.find(wrong) is None


@pytest.mark.parametrize(
    ("kind", "rights"),
    [
        (Kind.VIEW, {Right.LOOK}),
        (Kind.CONTROL, {Right.LOOK, Right.CHANGE}),
        (Kind.PROBE, {Right.INGEST}),
        (Kind.FULL, {Right.LOOK, Right.CHANGE, Right.INGEST}),
    ],
)
def test_what_a_kind_allows(kind: Kind, rights: set[Right]) -> None:
    """A refusal names the token and the kinds that would do."""
    token = Token("bob", kind, "")
    refused = {right: token.refusal(right) for right in Right}
    assert {right for right, refusal in refused.items() if refusal is None} == rights
    for refusal in filter(None, refused.values()):
        assert f"'bob' is a {kind.name.lower()} token, and this wants a " in refusal


def test_each_route_wants_a_right(served: ServerProcess) -> None:
    """Every route that there is: a view token changes nothing, and a probe's sees nothing."""
    document = httpx.get(f"{served.url}/openapi.json", headers=bearer("view")).json()
    routes = [
        (method.upper(), path.format(run="0" * 16, number=1))
        for path, operations in document["paths"].items()
        for method in operations
        if path != "/healthz"
    ]
    pages = [("GET", path) for path in PAGES]
    asked = set()
    for method, path in [*routes, *pages]:
        changes = Right.CHANGE is wanted_right({"type": "http", "method": method, "path": path})
        if path not in ("/api/audit", "/audit"):  # which tell of people
            assert changes == (method != "GET" and not path.endswith("/trial"))
        answers = {
            kind: httpx.request(method, served.url + path, headers=bearer(kind)).status_code
            for kind in SECRETS
        }
        assert answers["probe"] == 403, path
        assert answers["control"] not in (401, 403), path
        assert (answers["view"] == 403) == changes, path
        asked.add((method, changes))
    assert asked >= {("GET", False), ("POST", True), ("POST", False), ("PATCH", True)}
    assert ("DELETE", True) in asked


def test_a_view_token_looks_and_changes_nothing(served: ServerProcess, run: str) -> None:
    """Each thing that changes a run or its job is a 403 with a sentence, and is not done."""
    path = f"{served.url}/api/runs/{run}"
    with FakeProbe(served, hello(run), additional_headers=bearer("probe")) as probe:
        assert probe.welcome["type"] == "welcome"
        with httpx.Client(headers=bearer("view")) as viewer:
            for answer in (
                viewer.post(f"{path}/commands", json=FREEZE),
                viewer.patch(path, json={"notes": "mine"}),
                viewer.delete(path),
                viewer.post(f"{path}/events/1/dismiss"),
            ):
                assert answer.status_code == 403
                assert answer.json()["detail"] == (
                    "The token 'wall' is a view token, and this wants a control token."
                )
            assert viewer.get(path).json()["notes"] == ""
            assert viewer.get(f"{path}/commands").json() == {"commands": []}


def test_the_audit_log_names_the_token_that_acted(served: ServerProcess, run: str) -> None:
    """What a caller says of itself stands behind it, whoever it says that it is."""
    with FakeProbe(served, hello(run), additional_headers=bearer("probe")) as probe:
        with httpx.Client(headers=bearer("control")) as alice:
            path = f"{served.url}/api/runs/{run}/commands"
            row = alice.post(path, json=FREEZE).json()
            assert row["by"] == "alice (mallory)"
            assert alice.get(f"{path}/{row['id']}").json()["by"] == "alice (mallory)"
        assert probe.until_command(row["id"])["by"] == "alice (mallory)"


@pytest.mark.parametrize("kind", SECRETS)
def test_sockets_want_a_kind_of_token(served: ServerProcess, run: str, kind: str) -> None:
    """Only a probe's token sends what a job measures, and it does not see what others sent."""
    with FakeProbe(served, hello(run), additional_headers=bearer("probe")):
        live = f"{served.ws_url}/api/runs/{run}/live"
        with connect(live, additional_headers=bearer(kind)) as page:
            if kind == "probe":
                with pytest.raises(ConnectionClosed, match="wants a view or control token"):
                    page.recv(20)
            else:
                assert json.loads(page.recv(20))["type"] == "run"
    with FakeProbe(served, hello("f" + run[1:]), additional_headers=bearer(kind)) as probe:
        if kind == "probe":
            assert probe.welcome["type"] == "welcome"
        else:
            code, last = probe.until_closed()
            assert (code, last and last["retry"]) == (1008, False)
            assert last is not None
            assert "wants a probe token" in last["message"]


@pytest.mark.parametrize(
    ("kind", "status", "cookie"),
    [("view", 303, True), ("control", 303, True), ("probe", 403, False)],
)
def test_a_page_takes_the_token_of_a_person(
    served: ServerProcess, kind: str, status: int, cookie: bool
) -> None:
    """In its address, once; a probe's token opens no page."""
    answer = httpx.get(f"{served.url}/?token={SECRETS[kind]}")
    assert answer.status_code == status
    assert ("set-cookie" in answer.headers) == cookie


def test_nobody_is_let_in_without_one(served: ServerProcess) -> None:
    """Tokens of a file are wanted on this machine, too, and no other is printed."""
    assert served.printed_url == served.url
    for path, headers in itertools.product(
        ("/api/runs", "/"), ({}, {"Authorization": "Bearer wall"})
    ):
        assert httpx.get(served.url + path, headers=headers).status_code == 401


def test_a_page_that_may_only_look_holds_no_command(served: ServerProcess, run: str) -> None:
    """What lasts while a page is there is held by one that may change things."""
    live = f"{served.ws_url}/api/runs/{run}/live"
    holds = '{{"type": "watch", "holds": [{}]}}'
    with FakeProbe(served, hello(run), additional_headers=bearer("probe")) as probe:
        probe.heartbeat()
        with connect(live, additional_headers=bearer("view")) as viewer:
            viewer.send(holds.format(1))
            with connect(live, additional_headers=bearer("control")) as controller:
                controller.send(holds.format(2))
                while (frame := probe.receive())["type"] != "watched":
                    pass
                assert frame["commands"] == [2]
