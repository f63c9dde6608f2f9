"""The heat map of a run, in the real browser: its pixels, its zoom, its place in the address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import FakeProbe
from tests.support.waiting import wait_for

SAMPLES = 1200
SPIKE_STEP = 777
SPIKE = 900.0
MIDDLE = 125
"""A height in the second of three rows."""
ZOOMED = re.compile(r"from=\d+&to=\d+")
NAMES = ("body.0.weight", "body.1.weight", "head.weight")


@pytest.fixture
def spiked(play: Play, run: str) -> FakeProbe:
    """A run of many samples, of which one has a spike in one parameter."""
    probe = play(run, *NAMES)
    for step in range(1, SAMPLES + 1):
        probe.sample(step, [0.1, SPIKE if step == SPIKE_STEP else 0.5, 0.02])
    while probe.acked < SAMPLES:
        probe.receive()
    return probe


def pixels(page: Page, row: int) -> list[list[int]]:
    """The colours along the middle of a row of the three, left to right, in CSS px."""
    found: list[list[int]] = page.locator("#heatmap canvas").evaluate(
        """(canvas, row) => {
            const ratio = devicePixelRatio;
            const copy = new OffscreenCanvas(canvas.width, canvas.height)
                .getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const height = Math.min(72, (canvas.clientHeight - 38) / 3);
            const y = Math.round((18 + (row + 0.5) * height) * ratio);
            const {data} = copy.getImageData(0, y, canvas.width, 1);
            return Array.from({length: canvas.width}, (_, x) => [...data.slice(x * 4, x * 4 + 3)]);
        }""",
        row,
    )
    return found


def steps_in_sight(page: Page) -> tuple[int, int] | None:
    """The range that the address names."""
    found = re.search(r"from=(\d+)&to=(\d+)", page.url)
    return (int(found[1]), int(found[2])) if found else None


def spots(page: Page, row: int) -> list[int]:
    """Where a row has the brightest colour of the ramp, in px."""
    return [x for x, (red, green, blue) in enumerate(pixels(page, row)) if red > 235 and blue < 90]


def until_drawn(page: Page) -> None:
    """Wait until the heat map has cells."""
    expect(page.locator("#heatmap .caption")).to_contain_text("px")
    expect(page.locator("#heatmap canvas:not([aria-busy])")).to_be_visible()


def test_a_spike_of_one_step_is_seen_and_gives_its_value(
    spiked: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """Of a thousand steps one stands out, two pixels wide; zoomed in it tells its own value."""
    page = open_run(run).page
    until_drawn(page)
    wait_for(lambda: bool(spots(page, 1)), 10, "the spike is drawn")
    spot = spots(page, 1)
    assert 2 <= len(spot) <= 4
    assert not spots(page, 0)
    canvas = page.locator("#heatmap canvas")
    for _ in range(30):
        at = spots(page, 1)
        if len(at) > 12:
            break
        canvas.hover(position={"x": sum(at) / len(at), "y": MIDDLE})
        page.mouse.wheel(0, -400)
        expect(page.locator("#heatmap canvas:not([aria-busy])")).to_be_visible()
        until_drawn(page)
    expect(page).to_have_url(ZOOMED)
    at = spots(page, 1)
    canvas.hover(position={"x": sum(at) / len(at), "y": MIDDLE + 1})
    tip = page.locator("#heatmap .tip")
    expect(tip).to_contain_text("body.1.weight")
    expect(tip).to_contain_text(f"Step {SPIKE_STEP:,}")
    expect(tip).to_contain_text(re.compile(r"Gradient norm: 900(?!.*%)"))


def test_back_undoes_a_zoom_and_a_link_opens_it(
    spiked: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The range is in the address: Back shows the whole run, and the link the same cells."""
    page = open_run(run).page
    until_drawn(page)
    page.locator("#heatmap canvas").hover(position={"x": 700, "y": 40})
    page.mouse.wheel(0, -500)
    expect(page).to_have_url(ZOOMED)
    zoomed = steps_in_sight(page)
    url = page.url
    expect(page.locator("#heatmap-whole")).to_be_enabled()
    page.go_back()
    expect(page.locator("#heatmap-whole")).to_be_disabled()
    expect(page).not_to_have_url(ZOOMED)
    assert steps_in_sight(page) is None
    page.locator("#heatmap-low").fill("1e-6")
    page.locator("#heatmap-high").fill("0.4")
    page.locator("#heatmap-high").press("Enter")
    expect(page).to_have_url(re.compile("colors=0.000001%2C0.4"))
    wait_for(lambda: len(spots(page, 1)) > 100, 10, "what is above the high end is brightest")
    page.locator("#heatmap-high").fill("nought")
    page.locator("#heatmap-high").press("Enter")
    said = page.locator("#heatmap-high").evaluate("field => field.validationMessage")
    assert "Give numbers above zero" in said
    asked: list[str] = []
    other = open_run(run)
    other.page.on("request", lambda request: asked.append(request.url))
    other.page.goto(url)
    until_drawn(other.page)
    assert steps_in_sight(other.page) == zoomed
    assert zoomed is not None
    first, last = zoomed
    query = f"from={first}&to={last}"
    wait_for(lambda: any(query in url for url in asked), 10, "it is asked for")
    expect(other.page.locator("#heatmap-whole")).to_be_enabled()


def test_what_comes_while_one_is_zoomed_in_can_be_moved_to(
    spiked: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The steps to which one can pan are those of the run by now, not those when one zoomed."""
    page = open_run(run).page
    until_drawn(page)
    canvas = page.locator("#heatmap canvas")
    canvas.hover(position={"x": 700, "y": 40})
    page.mouse.wheel(0, -500)
    expect(page).to_have_url(ZOOMED)
    for step in range(SAMPLES + 1, 2 * SAMPLES + 1):
        spiked.sample(step, [0.1, 0.5, 0.02])
    while spiked.acked < 2 * SAMPLES:
        spiked.receive()
    canvas.focus()

    def reached() -> bool:
        page.keyboard.press("ArrowRight")
        return (steps_in_sight(page) or (0, 0))[1] == 2 * SAMPLES

    wait_for(reached, 20, "the last step is in sight")


def test_neighbours_that_share_a_row_open_down_to_a_parameter(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Each row opens what it is called by, the address has it, and Back closes it again."""
    names = [f"layers.{layer}.{name}" for layer in range(40) for name in ("weight", "bias")]
    play(run, *names).sample(1, [0.5] * len(names))
    page = open_run(run).page
    until_drawn(page)
    crumbs = page.locator("#heatmap .crumb")
    canvas = page.locator("#heatmap canvas")
    canvas.click(position={"x": 600, "y": 22})
    expect(crumbs).to_have_text(["All", "layers", re.compile(r"^0 … \d+$")])
    expect(page).to_have_url(re.compile(r"within=layers.0\+%E2%80%A6\+layers"))
    until_drawn(page)
    canvas.hover(position={"x": 600, "y": 22})
    expect(page.locator("#heatmap .tip strong")).to_have_text("layers.0.weight")
    page.reload()
    expect(crumbs).to_have_count(3)
    until_drawn(page)
    canvas.click(position={"x": 600, "y": 22})
    expect(page).to_have_url(re.compile("selected=layers.0.weight"))
    page.go_back()
    page.go_back()
    expect(page.locator("#heatmap .crumbs")).to_be_hidden()
