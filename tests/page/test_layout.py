"""Windows of every width."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.page.conftest import OpenPage, OpenRun, Play
from tests.support.probing import ABSENT, PRESENT, alert, explanation
from tests.support.serving import ServerProcess

LONG = "a.very.long.name.of.a.module.that.does.not.fit.into.any.narrow.window.weight"
WIDTHS = [1440, 900, 720, 420]

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
IS_CUT = "each => each.scrollWidth > each.clientWidth"


def overlap(page: Page, one: str, other: str) -> bool:
    """Whether the boxes of two elements have an area in common."""
    first, second = (page.locator(selector).first.bounding_box() for selector in (one, other))
    assert first is not None
    assert second is not None
    return all(
        first[start] < second[start] + second[size] and second[start] < first[start] + first[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_fits_into_the_window(width: int, play: Play, open_run: OpenRun, run: str) -> None:
    """Nothing scrolls sideways, causes are whole, and a command's name and stages stay apart."""
    probe = play(run, "b.weight", "head.weight", LONG, name="digits " * 12)
    probe.sample(1, [float("nan"), 0.5, 0.25], [ABSENT, PRESENT, PRESENT])
    rounded = explanation(0, "b.weight", cause="not_differentiable")
    probe.explanations(2, 1, rounded, explanation(1, "head.weight", cause="not_in_optimizer"))
    view = open_run(run, f"?selected={LONG}", viewport=ViewportSize(width=width, height=800))
    page = view.page
    for name, word in (("b.weight", "no derivative"), ("head.weight", "not applied")):
        cause = view.row(name).locator(".words span").last
        expect(cause).to_have_text(word)
        expect(cause).to_be_in_viewport(ratio=0.9)
        assert not cause.evaluate(IS_CUT)
    page.locator("#tree .toggle").first.click()
    page.keyboard.press("Enter")
    entry = page.locator("#commands [data-command]")
    probe.report(3, int(entry.get_attribute("data-command") or ""), "verified", step=1234567)
    expect(entry.locator(".verified.done")).to_be_attached()
    assert page.evaluate(SIDEWAYS) == 0
    assert not overlap(page, "#commands .what", "#commands .stepper")


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_runs_fits_into_the_window(
    width: int, play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """Name, status, trouble and step are in sight at any width."""
    probe = play(run, "a.weight", name="a rather long name of a run " * 4)
    probe.sample(1, [0.5])
    probe.alerts(2, alert())
    page = open_page(viewport={"width": width, "height": 800})
    page.goto(page_server.url)
    row = page.locator(f'tr[data-run="{run}"]')
    expect(row.locator('[data-cell="step"]')).to_have_text("1")
    assert page.evaluate(SIDEWAYS) == 0
    table = page.locator(".runs")
    assert table.evaluate("table => table.scrollWidth - table.clientWidth") == 0
    for cell in ("status", "trouble", "step"):
        expect(row.locator(f'[data-cell="{cell}"]')).to_be_in_viewport(ratio=1)
    alerts = row.get_by_role("link", name="1 alert")
    expect(alerts).to_be_in_viewport(ratio=1)
    assert not alerts.evaluate(IS_CUT)


def test_headings_stand_over_their_columns(play: Play, open_run: OpenRun, run: str) -> None:
    """A heading and the numbers below it have the same edges."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run)
    page.page.set_viewport_size({"width": 1500, "height": 900})
    for column in ("norm", "ratio", "spark", "shape"):
        head = page.page.locator(f".tree-head .{column}").bounding_box()
        cell = page.row("a.weight").locator(f".{column}").bounding_box()
        assert head is not None
        assert cell is not None
        assert (head["x"], head["width"]) == (cell["x"], cell["width"])


def test_names_have_room_and_no_more(play: Play, open_run: OpenRun, run: str) -> None:
    """On a telephone the columns beside them are few, and a wide window is the charts'."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run)
    widths = {}
    for width in (320, 2560):
        page.page.set_viewport_size({"width": width, "height": 900})
        box = page.row("a.weight").locator(".label").bounding_box()
        assert box is not None
        widths[width] = box["width"]
    assert widths[320] > 110
    assert widths[2560] < 320


def test_rows_are_read_in_the_order_in_which_they_stand(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """However the tree was scrolled, the document has its rows from top to bottom."""
    names = [f"blocks.{block}.weight" for block in range(200)]
    play(run, *names).sample(1, [0.5] * len(names))
    page = open_run(run)
    page.press("End", "PageUp", "PageUp", "Home", "PageDown", "PageDown", "ArrowUp")
    indexes = page.page.locator("#tree .row").evaluate_all(
        "rows => rows.map(row => Number(row.ariaRowIndex))"
    )
    assert len(indexes) > 10
    assert indexes == sorted(indexes)
