"""The pages, and the files that they use."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, meta, nodes

from gradgate.server.export.check.page import CheckPage
from gradgate.server.web.assets import TEMPLATES
from gradgate.server.web.audit_page import AuditPage
from gradgate.server.web.pages import (
    CausesPage,
    CauseTextPage,
    ComparePage,
    DocsPage,
    ErrorPage,
    MissingRunPage,
    RunPage,
    RunsPage,
    SignInPage,
)
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

PAGES = [
    AuditPage,
    RunsPage,
    RunPage,
    ComparePage,
    DocsPage,
    CausesPage,
    CauseTextPage,
    ErrorPage,
    MissingRunPage,
    CheckPage,
    SignInPage,
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.template)
def test_a_template_uses_its_documented_context(page: type) -> None:
    """A template has its `page`, of which only what its dataclass has, its reader, and paths."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    used: set[str] = set()
    for name in (page.template, "base.html"):  # type: ignore[attr-defined]
        source = Path(TEMPLATES / name).read_text(encoding="utf-8")
        tree = environment.parse(source)
        assert meta.find_undeclared_variables(tree) <= {"page", "reader", "root", "static"}
        used |= {
            node.attr
            for node in tree.find_all(nodes.Getattr)
            if getattr(node.node, "name", None) == "page"
        }
    assert used <= {field.name for field in fields(page)}


def test_the_pages_of_runs(shared_server: ServerProcess, run: str) -> None:
    """The list and the page of a run are HTML that is asked for anew each time."""
    with FakeProbe(shared_server, hello(run, name=f"pages <b>{run}</b>")):
        for path in ("/", f"/compare?run={run}", f"/runs/{run}"):
            answer = shared_server.page(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
        assert f"pages &lt;b&gt;{run}&lt;/b&gt;" in answer.text
        assert f'data-run-id="{run}"' in answer.text


@pytest.mark.parametrize("path", ["/runs/nosuchrun", "/runs/<script>alert(1)</script>", "/nothing"])
def test_what_is_not_there_is_a_page_that_says_what_to_do(
    shared_server: ServerProcess, path: str
) -> None:
    """A 404 is a page with a way on, and what was asked for is text in it."""
    answer = shared_server.page(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/"' in answer.text
    assert "<script>alert" not in answer.text


def test_no_page_has_inline_script_or_a_foreign_address(
    shared_server: ServerProcess, run: str
) -> None:
    """Every script and style comes from this server."""
    with FakeProbe(shared_server, hello(run)):
        for path in ("/", f"/runs/{run}", "/docs", "/nothing"):
            text = shared_server.page(path).text
            assert text.count("<script") == text.count("<script src=") + text.count(
                '<script type="module" src='
            )
            assert 'src="http' not in text
            assert 'src="//' not in text
            assert "onclick" not in text


def test_a_page_is_not_sent_twice(shared_server: ServerProcess, run: str) -> None:
    """A page that is still the same is a 304, and any other is sent."""
    with FakeProbe(shared_server, hello(run)):
        for path in ("/", f"/runs/{run}", "/docs"):
            tag = shared_server.page(path).headers["etag"]
            again = shared_server.page(path, headers={"If-None-Match": f'"other", {tag}'})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["cache-control"] == "no-cache"
            assert again.headers["etag"] == tag
            other = shared_server.page(path, headers={"If-None-Match": '"other"'})
            assert other.status_code == 200


def test_docs_list_every_route(shared_server: ServerProcess) -> None:
    """`/docs` shows each route of the OpenAPI document, without a CDN."""
    text = shared_server.page("/docs").text
    for path, operations in shared_server.get("/openapi.json")["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in text
