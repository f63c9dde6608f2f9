"""The page of a run inside a notebook."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import expect

from gradgate.probe.notebook.markup import LivePage
from tests.page.conftest import OpenPage, Play
from tests.support.serving import ServerProcess


@contextmanager
def served(markup: str) -> Iterator[str]:
    """Serve one page, and yield its address: of another origin than any dashboard."""

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(markup.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_notebook_shows_the_live_page(
    page_server: ServerProcess, open_page: OpenPage, play: Play, run: str
) -> None:
    """Though it is of another origin, the page is live in it."""
    probe = play(run, "a.weight", name=run)
    live = LivePage(run, f"{page_server.url}/runs/{run}")
    page = open_page()
    with served(f'<!doctype html><link rel="icon" href="data:,">{live._repr_html_()}') as address:
        page.goto(address)
        frame = page.frame_locator("iframe")
        expect(frame.locator("h1")).to_have_text(run)
        probe.sample(7, [0.5])
        expect(frame.locator('[data-fact="step"]')).to_have_text("7")
        page.goto("about:blank")
