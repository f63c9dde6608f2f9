"""A server that goes away and comes back."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.page.conftest import OpenPage
from tests.page.run_page import RunPage
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob

MOMENT = 30_000


def test_a_lost_connection_is_seen_and_comes_back(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    """The banner tells for how long, toggles wait, and after a restart the values move again."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        job.wait_for_step(3)
        job.wait_until_known(server)
        page = RunPage(open_page(offline=True), f"{server.url}/runs/{job.run}")
        page.until_step(3)
        banner = page.page.locator("#connection-banner")
        expect(banner).to_be_hidden()

        server.kill()
        expect(banner).to_contain_text("Connection to the server lost")
        expect(banner).to_contain_text(re.compile(r"lost [1-9]\d* s ago, trying again"))
        expect(page.page.locator("#status")).to_have_text("live when last heard")
        toggle = page.row("head.weight").get_by_role("checkbox")
        expect(toggle).to_have_attribute("aria-disabled", "true")
        seen = page.step

        server.restart()
        expect(banner).to_be_hidden(timeout=MOMENT)
        page.until_step(seen + 5)
        expect(toggle).not_to_have_attribute("aria-disabled", "true")


def test_the_list_of_runs_says_that_the_server_is_gone(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """The list keeps what it knew, says so, and recovers."""
    page = open_page(offline=True)
    runs = "**/api/runs*"
    page.route(runs, lambda route: route.abort("connectionrefused"))
    page.goto(server.url)
    waiting = page.locator("[data-waits-for]")
    expect(waiting).to_have_text("No connection to the server: it is tried again and again.")
    page.unroute(runs)
    expect(page.locator("#connection")).to_have_text("connected")
    expect(waiting).to_be_hidden()
    server.kill()
    expect(page.locator("#banner")).to_contain_text("cannot be reached")
    server.restart()
    expect(page.locator("#banner")).to_be_hidden(timeout=MOMENT)
