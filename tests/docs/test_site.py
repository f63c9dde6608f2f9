"""The site that `make docs` builds: whole, and sufficient to itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Route

from gradgate import probe
from tests.support.documents import DOCS, NAMES, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does; a page that is lost or a broken link ends that."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=170
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Serve the site on a free port."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_every_page_is_in_the_navigation() -> None:
    """A page that no menu shows is found by nobody."""
    waiting = [yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]]
    shown = []
    while waiting:
        for entry in waiting.pop():
            for value in entry.values():
                (waiting if isinstance(value, list) else shown).append(value)
    pages = [name.removeprefix("docs/") for name in NAMES]

    assert sorted(shown) == sorted(pages)


@pytest.mark.exhaustive(0)
def test_the_reference_has_every_public_name(site: Path) -> None:
    """Each name that the probe exports and each method of a run has an anchor, and its text."""
    page = (site / "reference" / "python" / "index.html").read_text("utf-8")
    methods = (f"Run.{name}" for name in vars(probe.Run) if not name.startswith("_"))

    assert [
        name for name in (*probe.__all__, *methods) if f'id="gradgate.probe.{name}"' not in page
    ] == []
    assert ":class:" not in page


@pytest.mark.exhaustive(0)
def test_pages_load_nothing_from_other_hosts(site: Path, address: str, browser: Browser) -> None:
    """Read and searched in a browser, every page asks the host that it came from alone."""
    foreign: list[str] = []

    def pass_own(route: Route) -> None:
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    pages = [path.relative_to(site).as_posix() for path in site.rglob("*.html")]
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/*", pass_own)
        for path in pages:
            page.goto(address + path)
        page.goto(address)
        page.get_by_role("textbox", name="Search").press_sequentially("drifted")
        page.locator(".md-search-result__item").first.wait_for()

    assert len(pages) > len(list(DOCS.glob("*.md")))
    assert foreign == []
