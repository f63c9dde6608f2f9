"""How many gestures lead from a run of 200,000 samples to its one spike, and what is seen there.

A made-up run (`benchmarks/histories.py`) with one spike of one step is served by a real server and
opened in headless Chromium. A drag with Shift over the heat map takes in a few pixels around its
brightest column, as often as is needed, and a click opens the module there; after each a screenshot
is taken. Then the pointer rests on the spike, and the address is opened anew, as a colleague would.
Wants playwright and a Chromium: $GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/three_gestures.py [--samples N] [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from browsers import launch
from histories import SPIKE, record_run
from playwright.sync_api import Page, sync_playwright
from servers import served

from gradgate.server.store.database import Store

PARAMETERS = 20
AROUND = 6
"""Pixels to either side of the spike that a drag takes in."""
ROW = 30
"""A height in the first row, which holds the parameter with the spike."""
BRIGHTEST = """(canvas, row) => {
    const ratio = devicePixelRatio;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, row * ratio, canvas.width - 80 * ratio, 1);
    const spots = [];
    for (let x = 0; x < data.length / 4; x += 1) {
        if (data[4 * x] > 235 && data[4 * x + 2] < 90) spots.push(x / ratio);
    }
    return spots;
}"""


def main() -> None:
    """Go to the spike, and say what was seen."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--samples", type=int, default=200_000)
    options.add_argument("--pictures", type=Path)
    given = options.parse_args()
    spike = given.samples * 617 // 1000
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run = record_run(store, given.samples, PARAMETERS, 1000, spikes=(spike,))
        store.close()
        with served(Path(folder)) as (_, url), sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/runs/{run}")
            gestures = 0
            while (spots := seen(page, given.pictures, gestures)) and len(spots) < 4 * AROUND:
                drag(page, sum(spots) / len(spots))
                gestures += 1
            click(page, sum(spots) / len(spots))
            gestures += 1
            spots = seen(page, given.pictures, gestures)
            print(f"{given.samples:,} samples, a spike of {SPIKE:g} at step {spike:,} alone.")
            print(f"{gestures} gestures lead to it. The tooltip: {tooltip(page, spots)!r}")
            other = browser.new_page(viewport={"width": 1440, "height": 900})
            other.goto(page.url)
            same = seen(other, given.pictures, gestures + 1) == spots
            print(f"{page.url.partition('?')[2]} opens {'the same' if same else 'another'} view.")
            browser.close()


def seen(page: Page, pictures: Path | None, number: int) -> list[float]:
    """Return at which pixels the first row is as bright as the spike, once all is drawn."""
    canvas = page.locator("#heatmap canvas:not([aria-busy])")
    canvas.wait_for()
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pictures / f"gesture_{number}.png")
    spots: list[float] = canvas.evaluate(BRIGHTEST, ROW)
    return spots


def drag(page: Page, middle: float) -> None:
    """Drag with Shift over a few pixels to either side."""
    box = page.locator("#heatmap canvas").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + middle - AROUND, box["y"] + ROW)
    page.mouse.down()
    page.mouse.move(box["x"] + middle + AROUND, box["y"] + ROW, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")


def click(page: Page, middle: float) -> None:
    """Open the module of the first row to its parameters."""
    page.locator("#heatmap canvas").click(position={"x": middle, "y": ROW})
    page.locator("#heatmap .crumbs").wait_for()


def tooltip(page: Page, spots: list[float]) -> str:
    """Return what is told of the spike."""
    middle = sum(spots) / len(spots)
    page.locator("#heatmap canvas").hover(position={"x": middle, "y": ROW})
    page.wait_for_load_state("networkidle")
    return " ".join(page.locator("#heatmap .tip").inner_text().split())


if __name__ == "__main__":
    main()
