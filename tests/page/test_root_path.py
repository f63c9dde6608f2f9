"""Pages below a path of a proxy that takes it off."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.page.conftest import OpenPage
from tests.page.run_page import RunPage
from tests.support.fronting import ReverseProxy
from tests.support.probing import NONFINITE, PRESENT, FakeProbe, hello
from tests.support.serving import ServerProcess

SECRET = "control-0123456789abcdef"


def test_a_person_finds_all_below_the_path(tmp_path: Path, run: str, open_page: OpenPage) -> None:
    """Signs in, looks, steers, follows links, exports and signs out; nothing is asked elsewhere.

    Two servers below two paths of one host keep their cookies apart.
    """
    options = ("--token", SECRET, "--root-path", "/gradgate", "--lost-after", "600")
    bearer = {"Authorization": f"Bearer {SECRET}"}
    with (
        ServerProcess(tmp_path / "data", *options) as server,
        ReverseProxy(server.port) as proxy,
        FakeProbe(proxy, hello(run), additional_headers=bearer) as probe,
    ):
        page = open_page(refusals=[401])
        page.goto(f"{proxy.url}/runs/{run}")
        page.get_by_label("Token").fill(SECRET)
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{proxy.url}/runs/{run}")
        assert [each["path"] for each in page.context.cookies()] == ["/gradgate"]
        look = RunPage(page, page.url)
        expect(page.locator("#connection")).to_have_attribute("data-status", "live")
        probe.sample(1, [0.5, float("nan")], [PRESENT, NONFINITE])
        expect(page.locator('[data-fact="step"]')).to_have_text("1")
        look.row("a.weight").locator(".toggle").click()
        page.locator("#confirm .primary").click()
        assert probe.until_command(1)["kind"] == "freeze"
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("Report")).click()
        assert "<html" in Path(download.value.path()).read_text("utf-8")
        page.locator(".brand").click()
        expect(page).to_have_url(f"{proxy.url}/")
        page.locator(f'tr[data-run="{run}"] .run-link').click()
        expect(page).to_have_url(f"{proxy.url}/runs/{run}")
        page.goto(f"{proxy.url}/compare?run={run}")
        page.locator("#compared a.run").click()
        expect(page).to_have_url(re.compile(f"{proxy.url}/runs/{run}"))
        page.locator("#help-open").click()
        page.get_by_role("link", name="Documentation").click()
        expect(page).to_have_url(f"{proxy.url}/docs")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        assert proxy.strays == []
