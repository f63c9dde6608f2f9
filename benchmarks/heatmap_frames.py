"""How smoothly the heat map of a long run of a large model zooms and pans, in headless Chromium.

A long run (`benchmarks/long_runs.py`) is served by a real server. The wheel turns over the heat map
until single steps are in sight and back to the whole run, and then the map is dragged to and fro at
several zooms; meanwhile the server answers what the page asks for. A frame is a call of
`requestAnimationFrame`, so 60 a second are the most. Wants playwright and a Chromium:
$GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/heatmap_frames.py [--parameters N] [--samples N] [--rounds N] [--data DIR]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from browsers import count_frames, counted_frames, launch
from long_runs import long_run
from playwright.sync_api import Page, sync_playwright
from servers import processor_time, served
from sqlalchemy import select

from gradgate.server.store.database import Store
from gradgate.server.store.tables import runs

WHEEL = 60
NOTCH = 130.0
"""Pixels of one turn of the wheel; forty of them lead from a million steps to a few dozen."""
PERIOD_MS = 16


def main() -> None:
    """Measure, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, default=10_000)
    options.add_argument("--samples", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--data", help="a folder that keeps the run for the next time")
    given = options.parse_args()
    folder = nullcontext(given.data) if given.data else tempfile.TemporaryDirectory()
    with folder as data, sync_playwright() as playwright:
        run = _made(Path(data), given.samples, given.parameters)
        with served(Path(data)) as (process, url):
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/runs/{run}")
            page.locator("#heatmap .caption:not(:empty)").wait_for()
            page.wait_for_load_state("networkidle")
            print("| | frames a second | longest frame | answers | server's CPU |")
            print("|---|---|---|---|---|")
            for name, gesture in (("zoom", zoomed), ("pan", panned)):
                rounds = [_measured(page, process, gesture) for _ in range(given.rounds)]
                rate, longest, answers, cpu = map(statistics.median, zip(*rounds, strict=True))
                slowest = min(each[0] for each in rounds)
                print(
                    f"| {name} | {rate:.0f} (slowest round {slowest:.0f}) | {longest:.0f} ms "
                    f"| {answers:.0f} | {cpu:.2f} s |",
                    flush=True,
                )
            browser.close()


def _made(data: Path, samples: int, parameters: int) -> str:
    """Return the run that a folder has, or make it."""
    store = Store(data)
    with store.read() as connection:
        run = connection.scalar(select(runs.c.id))
    if run is None:
        begun = time.monotonic()
        run = long_run(store, samples, parameters)
        print(f"{parameters:,} × {samples:,} in {time.monotonic() - begun:.0f} s", flush=True)
    store.close()
    return str(run)


Figures = tuple[float, float, float, float]
"""Frames a second, the longest in ms, answers that came, and the server's processor time in s."""


def _measured(page: Page, process: int, gesture: Callable[[Page], None]) -> Figures:
    answers: list[str] = []

    def finished(request: object) -> None:
        url = str(getattr(request, "url", ""))
        if "/heatmap?" in url:
            answers.append(url)

    page.on("requestfinished", finished)
    before = processor_time(process)
    count_frames(page)
    gesture(page)
    found = counted_frames(page)
    page.remove_listener("requestfinished", finished)
    page.keyboard.press("Home")
    page.wait_for_load_state("networkidle")
    cpu = processor_time(process) - before
    return found["frames"] / found["seconds"], found["longest"], float(len(answers)), cpu


def zoomed(page: Page) -> None:
    """Turn the wheel from the whole run to a few steps near its end, and back."""
    x, y = _place(page, 0.995)
    page.mouse.move(x, y)
    for way in (-1, 1):
        for _ in range(WHEEL):
            page.mouse.wheel(0, way * NOTCH)
            page.wait_for_timeout(PERIOD_MS)


def panned(page: Page) -> None:
    """Drag to and fro at four zooms."""
    page.locator("#heatmap canvas").focus()
    for _ in range(4):
        x, y = _place(page, 0.7)
        page.mouse.move(x, y)
        for _ in range(8):
            page.mouse.wheel(0, -NOTCH)
        page.mouse.down()
        for way in (1, -1):
            for moved in range(30):
                page.mouse.move(x + (300 - 10 * moved if way < 0 else 10 * moved), y)
                page.wait_for_timeout(PERIOD_MS)
        page.mouse.up()


def _place(page: Page, share: float) -> tuple[float, float]:
    """Return a point of the heat map so far along its steps, about."""
    box = page.locator("#heatmap canvas").bounding_box()
    assert box is not None
    left, right = box["x"] + 220, box["x"] + box["width"] - 72
    return left + share * (right - left), box["y"] + box["height"] / 2


if __name__ == "__main__":
    main()
