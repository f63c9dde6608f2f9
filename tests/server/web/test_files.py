"""The files of the pages: kept for ever below their version, and served below any."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gradgate.server.web.files import FOREVER, NO_CACHE, Files
from tests.support.serving import ServerProcess


def place(server: ServerProcess) -> str:
    """The address below which the pages of a server find their files."""
    found = re.search(r'href="(/static/[0-9a-f]{16})/', server.page("/").text)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "one.js").write_text("1")
    (tmp_path / "inner" / "two.js").write_text("2")
    return tmp_path


def asking(files: Files) -> TestClient:
    """A client of a server that has nothing but these files."""
    return TestClient(Starlette(routes=[Mount(files.path, files)]))


def test_a_file_is_kept_for_ever_below_its_version(shared_server: ServerProcess) -> None:
    """What the page links is never asked for again, whatever folder it is in."""
    static = place(shared_server)
    for name in ("run.js", "css/base.css", "favicon.svg"):
        answer = shared_server.page(f"{static}/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == FOREVER


def test_a_file_below_another_version_is_served_and_not_kept(shared_server: ServerProcess) -> None:
    """A page from before an upgrade gets what there is, and asks again the next time."""
    for path in ("/static/0123456789abcdef/css/base.css", "/static/old/vendor/plotly-basic.min.js"):
        answer = shared_server.page(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == NO_CACHE
        again = shared_server.page(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == NO_CACHE


@pytest.mark.parametrize("name", ["one.js", "inner/two.js"])
def test_another_file_is_another_version(folder: Path, name: str) -> None:
    """A version follows from the bytes of all files, and is the same wherever they lie."""
    files = Files("static", folder)
    before = files.address()
    assert files.address() == before
    (folder / name).write_text("another")
    assert files.address() != before
    (folder / name).write_text(name[-4].replace("e", "1").replace("o", "2"))
    assert files.address() == before


def test_another_name_is_another_version(folder: Path) -> None:
    """The same bytes under another name are asked for elsewhere."""
    files = Files("static", folder)
    before = files.address()
    (folder / "one.js").rename(folder / "three.js")
    assert files.address() != before


def test_a_file_that_changed_since_the_page_was_made_is_not_kept(folder: Path) -> None:
    """Its bytes are not those that the address promises."""
    files = Files("static", folder)
    client = asking(files)
    path = f"{files.address()}/one.js"
    assert client.get(path).headers["cache-control"] == FOREVER
    (folder / "one.js").write_text("3")
    os.utime(folder / "one.js", ns=(1, 1))
    answer = client.get(path)
    assert (answer.text, answer.headers["cache-control"]) == ("3", NO_CACHE)
    assert client.get(f"{files.address()}/one.js").headers["cache-control"] == FOREVER


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server/app.py",
        "/static/v/../../server/app.py",
        "/static/%2e%2e/server/app.py",
        "/static/v/%2e%2e/server/app.py",
        "/static/v/..%2fserver/app.py",
        "/static/css/base.css",
        "/static/v/",
        "/static/v/vendor/",
    ],
)
def test_no_other_file_is_served(shared_server: ServerProcess, path: str) -> None:
    """Neither what lies beside the static files nor a list of them."""
    assert shared_server.page(path).status_code == 404


def test_scripts_have_a_script_s_type(shared_server: ServerProcess) -> None:
    """With `nosniff`, a module of another type would not run."""
    for path in ("/static/v/vendor/plotly-basic.min.js", "/static/v/run.js"):
        assert "javascript" in shared_server.page(path).headers["content-type"]
