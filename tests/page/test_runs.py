"""The list of runs."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import OpenPage
from tests.support.probing import ABSENT, PRESENT, FakeProbe, alert, hello
from tests.support.serving import ServerProcess


def test_an_empty_list_tells_how_to_attach(server: ServerProcess, open_page: OpenPage) -> None:
    """A newcomer sees the lines to copy, with this server's address in them."""
    page = open_page()
    page.goto(server.url)
    lines = page.locator("#attach").inner_text().splitlines()
    assert lines[0] == "from gradgate import probe"
    assert lines[1] == f'run = probe.attach(model, optimizer, server="{server.url}")'
    assert len(lines) == 3


def test_runs_appear_and_change_by_themselves(server: ServerProcess, open_page: OpenPage) -> None:
    """A new run is listed without a reload; its troubles, its alerts and its end follow."""
    page = open_page()
    page.goto(server.url)
    expect(page.locator("#empty")).to_be_visible()
    with FakeProbe(server, hello("a" * 16)) as first, FakeProbe(server, hello("b" * 16)):
        rows = page.locator("#runs tbody tr")
        expect(rows).to_have_count(2)
        expect(page.locator("#empty")).to_be_hidden()
        first.sample(1, [0.5, float("nan")], [PRESENT, ABSENT])
        first.heartbeat(1, cost=0.012)
        row = page.locator(f'tr[data-run="{"a" * 16}"]')
        expect(row).to_contain_text("1 absent")
        expect(row).to_contain_text("1.2 %")
        expect(row.locator(".status")).to_have_text("live")
        alerts = row.get_by_role("link", name="1 alert")
        expect(alerts).to_have_count(0)
        first.alerts(2, alert(1, "a.bias"))
        expect(alerts).to_be_visible()
        alerts.focus()
        first.sample(3, [0.5, 0.25])
        expect(row).not_to_contain_text("absent")
        expect(alerts).to_be_focused()
        first.alerts(4)
        expect(alerts).to_have_count(0)
        expect(row.locator('[data-cell="trouble"]')).to_have_text("none", use_inner_text=True)
        first.alerts(5, alert(1, "a.bias"))
        first.bye(3)
        expect(row.locator(".status")).to_have_text("finished")
        alerts.click()
        expect(page.locator("h1")).to_have_text("digits")
        expect(page.locator("#matches")).to_have_text("1 of 2")
        expect(page.locator("#run-banner")).to_contain_text("has finished")


def test_tags_and_archived_runs(server: ServerProcess, open_page: OpenPage) -> None:
    """A tag leads to the runs that have it, and archived runs show when they are asked for."""
    page = open_page()
    with FakeProbe(server, hello("a" * 16)), FakeProbe(server, hello("b" * 16)):
        page.goto(server.url)
        first, second = (page.locator(f'tr[data-run="{letter * 16}"]') for letter in "ab")
        expect(second).to_be_visible()
        server.patch(f"/api/runs/{'a' * 16}", {"name": "renamed", "tags": ["good"]})
        expect(first.locator(".run-link")).to_have_text("renamed")
        server.patch(f"/api/runs/{'b' * 16}", {"archived": True, "tags": ["good"]})
        expect(second).to_have_count(0)
        first.get_by_role("link", name="good").click()
        page.get_by_role("link", name="and 1 archived run").click()
        expect(second).to_be_visible()
        page.get_by_role("link", name="All runs that are not archived").click()
        expect(first).to_be_visible()
        expect(second).to_have_count(0)


def test_an_unknown_run_is_told_in_a_sentence(server: ServerProcess, open_page: OpenPage) -> None:
    """The page of a run that does not exist is a page with the way back, not a bare code."""
    page = open_page()
    page.route("**/missing", lambda route: route.fulfill(body=missing.text(), status=200))
    missing = page.request.get(f"{server.url}/runs/missing", headers={"Accept": "text/html"})
    assert missing.status == 404
    page.goto(f"{server.url}/missing")
    expect(page.locator("main")).to_contain_text("missing")
    expect(page.get_by_role("link", name="All runs")).to_be_visible()
