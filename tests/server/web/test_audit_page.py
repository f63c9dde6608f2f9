"""The page of the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gradgate.server.protocol.audit import AuditRow
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.audit import Actor, Entry, record_entry
from gradgate.server.store.runs import open_run
from gradgate.server.web.app import create_app
from gradgate.server.web.audit_page import LINES
from gradgate.server.web.audit_words import details
from gradgate.server.web.dependencies import Parts
from gradgate.server.web.proxies import Proxies
from gradgate.server.web.tokens import Kind, Token
from tests.support.probing import hello
from tests.support.storing import settings

VIEW, CONTROL = "view-0123456789abcdef", "control-0123456789abcdef"
GONE = "f" * 16


@pytest.fixture
def looks(tmp_path: Path, run: str) -> Iterator[TestClient]:
    """Looks at a log of two runs, one of them deleted, with a token that may change something."""
    tokens = (Token("wall", Kind.VIEW, VIEW), Token("alice", Kind.CONTROL, CONTROL))
    known = replace(settings(tmp_path), tokens=tokens, proxies=Proxies(root_path="/gradgate"))
    app = create_app(known)
    headers = {"Authorization": f"Bearer {CONTROL}"}
    with TestClient(app, "http://127.0.0.1", headers=headers) as client:
        parts: Parts = app.state.parts

        def work(connection: object) -> None:
            open_run(connection, Hello.model_validate(hello(run)), 1.0)  # type: ignore[arg-type]
            for number in range(LINES + 5):
                name, about = (f"<b>{number}\u202e", GONE) if number % 2 else ("here", run)
                actor = Actor("alice" if number else "user bob", "10.0.0.1")
                entry = Entry(actor, "edit", {"tags": ["x", "y"]}, about, name, float(number))
                record_entry(connection, entry)  # type: ignore[arg-type]

        parts.hub.writer.submit(work).result(20)
        yield client


def rows(text: str) -> list[str]:
    """The rows of the table, markup taken out."""
    body = text.partition('<tbody id="rows">')[2].partition("</tbody>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in found]


def test_people_read_who_did_what(looks: TestClient, run: str) -> None:
    """Newest first, a page at a time; a run that is there has a link, and a deleted one says so."""
    text = looks.get("/audit").text
    page = rows(text)
    assert len(page) == LINES
    assert page[0] == "1970-01-01 00:01:44 alice 10.0.0.1 edit here tags x, y"
    assert page[1] == "1970-01-01 00:01:43 alice 10.0.0.1 edit &lt;b&gt;103\ufffd deleted tags x, y"
    assert f'href="/gradgate/runs/{run}"' in text
    assert f'href="/gradgate/runs/{GONE}"' not in text
    older = re.search(r'href="(\?[^"]*)" rel="next"', text)
    assert older is not None
    rest = looks.get(f"/audit{older[1]}").text
    assert len(rows(rest)) == 5
    assert 'rel="next"' not in rest


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"actor": "user bob", "run": "", "action": ""}, 1),
        ({"run": GONE}, 52),
        ({"run": "here", "action": "edit"}, 53),
        ({"action": "delete"}, 0),
    ],
)
def test_what_is_looked_for_is_shown(looks: TestClient, query: dict[str, str], count: int) -> None:
    """And stays in the form; nothing is said in words."""
    text = looks.get("/audit", params=query).text
    assert len(rows(text)) == count
    assert f'value="{query.get("actor", "")}"' in text
    assert ("Nothing of the kind" in text) == (count == 0)


def test_who_may_only_look_sees_no_log(looks: TestClient) -> None:
    """Nor a link to it."""
    view = {"Authorization": f"Bearer {VIEW}"}
    assert looks.get("/audit", headers=view).status_code == 403
    assert "Audit log" not in looks.get("/", headers=view).text
    assert 'href="/gradgate/audit">Audit log' in looks.get("/").text


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"target": "0", "limit": {"steps": 40, "seconds": None}}, "target 0, for 40 steps"),
        (
            {"target": "0", "limit": {"while_watched": True}, "by": "alice"},
            "target 0, while its page is open, by alice",
        ),
        ({"target": "0", "limit": None, "hold_stats": False}, "target 0"),
        ({"event": 3, "dismissed": False}, "event 3, dismissed False"),
    ],
)
def test_details_are_said_in_words(detail: dict[str, object], words: str) -> None:
    """How long something lasts is a sentence, as in the log of commands, not a value in Python."""
    row = AuditRow(
        id="1",
        time=0.0,
        actor="alice",
        address="",
        action="command",
        run=GONE,
        name="x",
        detail=detail,
    )
    assert details(row) == words
