"""The list of runs."""

from __future__ import annotations

from contextlib import ExitStack

from playwright.sync_api import APIResponse, Route, expect

from tests.page.conftest import OpenPage
from tests.support.probing import ABSENT, PRESENT, FakeProbe, alert, hello, table_row
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for


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
    with (
        FakeProbe(server, hello("a" * 16)) as first,
        FakeProbe(server, hello("b" * 16, name="gan")),
    ):
        rows = page.locator("#runs tbody tr")
        expect(rows).to_have_count(2)
        expect(page.locator("#empty")).to_be_hidden()
        first.send(
            {"type": "metrics", "seq": 1, "step": 1, "time": 1700000000.0, "values": {"loss": 0.5}}
        )
        first.sample(2, [0.5, float("nan")], [PRESENT, ABSENT])
        first.heartbeat(2, cost=0.012)
        row = page.locator(f'tr[data-run="{"a" * 16}"]')
        expect(row).to_contain_text("1 absent")
        expect(row).to_contain_text("1.2 %")
        expect(row.get_by_role("img", name="loss: 0.500")).to_be_visible()
        expect(row.locator(".status")).to_have_text("live")
        alerts = row.get_by_role("link", name="1 alert")
        expect(alerts).to_have_count(0)
        first.alerts(3, alert(1, "a.bias"))
        expect(alerts).to_be_visible()
        alerts.focus()
        first.sample(4, [0.5, 0.25])
        expect(row).not_to_contain_text("absent")
        expect(alerts).to_be_focused()
        first.alerts(5)
        expect(alerts).to_have_count(0)
        trouble = row.locator('[data-cell="trouble"]')
        expect(trouble).to_have_text("2 open alerts, the last at step 12", use_inner_text=True)
        for event in (2, 3):
            server.post(f"/api/runs/{'a' * 16}/events/{event}/dismiss", {})
        expect(trouble).to_have_text("none", use_inner_text=True)
        outside = [table_row("a.weight"), table_row("a.bias", in_optimizer=False)]
        first.send({"type": "parameters", "seq": 6, "step": 4, "parameters": outside})
        expect(row).to_contain_text("1 in no optimizer")
        first.alerts(7, alert(1, "a.bias"))
        first.bye(4)
        expect(row.locator(".status")).to_have_text("finished")
        alerts.click()
        expect(page.locator("h1")).to_have_text("digits")
        expect(page.locator("#matches")).to_have_text("1 of 2")
        expect(page.locator("#run-banner")).to_contain_text("has finished")
        page.go_back()
        row.get_by_role("link", name="1 open alert, at step 12").click()
        expect(page.get_by_role("tab", name="Events (1 open)")).to_have_attribute(
            "aria-selected", "true"
        )


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


def test_many_runs_are_searched_sorted_and_compared(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """The address keeps what is asked, Back undoes it, and chosen runs are compared."""
    page = open_page()
    with ExitStack() as probes:
        for letter, step in (("a", 3), ("b", 20), ("c", 10)):
            probe = probes.enter_context(
                FakeProbe(server, hello(letter * 16, name=f"run {letter}"))
            )
            probe.sample(step, [0.5, 0.25])
        rows = page.locator("#runs tbody th .run-link")
        page.goto(server.url)
        expect(page.locator('tr[data-run^="b"] [data-cell="step"]')).to_have_text("20")
        expect(rows).to_have_text(["run c", "run b", "run a"])
        page.get_by_role("button", name="Step", exact=True).click()
        expect(rows).to_have_text(["run b", "run c", "run a"])
        page.locator("#search").fill("run a")
        expect(rows).to_have_text(["run a"])
        assert page.url.endswith("/?q=run+a&sort=-step")
        page.locator("#search").fill("<b>x")
        expect(page.locator("#unmatched")).to_contain_text("No run has “<b>x” in its name")
        page.get_by_role("button", name="Clear the search").press("Enter")
        expect(page.locator("#matches")).to_have_text("3 runs")
        page.go_back()
        page.go_back()
        expect(rows).to_have_text(["run c", "run b", "run a"])

        compare = page.get_by_role("link", name="Compare")
        expect(compare).to_have_attribute("aria-disabled", "true")
        for name in ("run c", "run a"):
            page.get_by_label(f"Choose {name}").check()
        expect(page.locator("#chosen-runs")).to_contain_text("2 runs chosen")
        compare.click()
        expect(page.locator("#compared li")).to_have_count(2)


def test_runs_are_renamed_archived_and_deleted(server: ServerProcess, open_page: OpenPage) -> None:
    """What the server refuses stays to be mended; a live run is kept, and others go for good."""
    page = open_page(refusals=[422])
    with FakeProbe(server, hello("a" * 16, name="first")) as live:
        with FakeProbe(server, hello("b" * 16, name="second")) as done:
            done.bye(0)
        page.goto(server.url)
        page.get_by_label("Choose first").check()
        page.get_by_role("button", name="Edit…").click()
        dialog = page.get_by_role("dialog", name="Edit the run")
        dialog.get_by_label("Name").fill("second")
        dialog.get_by_label("Tags").fill("n" * 65)
        dialog.get_by_label("Notes").fill("to keep")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_role("alert")).to_contain_text("at most 64 characters")
        live.heartbeat()  # on a slow machine it would be lost by now
        dialog.get_by_label("Tags").fill("good, lr 0.1, good")
        late: list[tuple[Route, APIResponse]] = []
        asking = "**/api/runs?archived=true"
        page.route(asking, lambda route: late.append((route, route.fetch())), times=1)
        wait_for(lambda: page.evaluate("1") and late, 20, "the list is asked for")
        dialog.get_by_label("Name").fill("best")
        dialog.get_by_label("Name").press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.get_by_label("Choose best")).to_be_checked()
        with page.expect_response(asking):
            late[0][0].fulfill(response=late[0][1])
        page.evaluate("new Promise(requestAnimationFrame)")
        assert page.get_by_label("Choose best").count() == 1, "an older answer came later"
        row = server.get(f"/api/runs/{'a' * 16}")
        assert (row["name"], row["tags"], row["notes"]) == ("best", ["good", "lr 0.1"], "to keep")

        live.heartbeat()
        page.get_by_role("button", name="Archive", exact=True).click()
        expect(page.get_by_label("Choose best")).to_have_count(0)
        expect(page.locator("#chosen-runs")).to_contain_text("1 run chosen, not listed")
        page.get_by_label("Choose second").check()
        page.get_by_role("button", name="Delete…").click()
        dialog = page.get_by_role("dialog", name="Delete 1 run for good?")
        expect(dialog).to_contain_text("One run is live and stays")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        dialog.get_by_role("button", name="Delete 1 run").click()
        expect(page.locator("#runs tbody tr")).to_have_count(0)
        assert [run["id"] for run in server.get("/api/runs", archived=True)["runs"]] == ["a" * 16]


def test_reruns_are_folded_under_the_run_that_lives(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """They have a number, open by a click, which the address keeps, and are found by a search."""
    page = open_page()
    for letter in "ab":
        with FakeProbe(server, hello(letter * 16)) as done:
            done.bye(0)
    with (
        FakeProbe(server, hello("c" * 16)),
        FakeProbe(server, hello("d" * 16, name="lr 0.1", group="search")),
    ):
        page.goto(server.url)
        rows = page.locator("#runs tbody th .run-title")
        expect(rows).to_have_text(["lr 0.1", "digits#3"])
        fold = page.get_by_role("button", name="2 earlier runs (digits)")
        fold.press("Enter")
        expect(rows).to_have_text(["lr 0.1", "digits#3", "digits#2", "digits"])
        expect(fold).to_have_attribute("aria-expanded", "true")
        assert page.url.endswith("/?opened=digits")
        fold.click()
        page.locator("#search").fill("digits#2")
        expect(rows).to_have_text(["digits#2"])
        page.locator("#search").fill("")
        page.get_by_role("link", name="search", exact=True).click()
        expect(rows).to_have_text(["lr 0.1"])
        page.goto(f"{server.url}/runs/digits")
        expect(page.locator("h1")).to_have_text("digits#3")
        assert page.url.endswith(f"/runs/{'c' * 16}")


def test_the_page_of_a_missing_run_leads_to_where_it_may_be(
    server: ServerProcess, open_page: OpenPage
) -> None:
    """It says so to a person, and searches the runs for what may have been a name."""
    page = open_page(refusals=[404])
    with FakeProbe(server, hello("a" * 16, name="digits & more")):
        page.goto(f"{server.url}/runs/digits%20%26")
        expect(page.get_by_role("heading", name="This run is not here")).to_be_visible()
        foot = "document.querySelector('.foot').getBoundingClientRect().bottom === innerHeight"
        assert page.evaluate(foot), "what is short has its foot at the end of the window too"
        page.get_by_role("link", name="search the runs for it").click()
        page.get_by_role("link", name="digits & more").click()
        expect(page.locator("h1")).to_have_text("digits & more")
