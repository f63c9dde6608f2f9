"""How smoothly the tree of a large model scrolls and filters: frames a second in headless Chromium.

A made-up run (`benchmarks/histories.py`) is served by a real server. All modules of its tree are
opened. Then the wheel turns over it for some seconds, and after that a filter is typed and taken
back, a letter a frame. A frame is a call of `requestAnimationFrame`, so 60 a second are the most;
processor time is that of the page's main thread. Wants playwright and a Chromium:
$GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/tree_frames.py [--parameters N ...] [--rounds N] [--profile FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browsers import count_frames, counted_frames, launch
from histories import record_run
from playwright.sync_api import CDPSession, Page, sync_playwright
from servers import served

from gradgate.server.store.database import Store

SCROLLED = 12_000
SPEED = 4_000
WORDS = "layers.11 p1"

WHEELS = """() => {
  window.wheels = 0;
  const body = document.querySelector("#tree .tree-body");
  body.addEventListener("wheel", () => { window.wheels += 1; }, { passive: true });
}"""
TYPE = """async (words) => {
  const box = document.querySelector("#filter");
  const texts = [...words].map((_, i) => words.slice(0, i + 1));
  for (const text of [...texts, ...texts.toReversed(), "", ...texts, ""]) {
    box.value = text;
    box.dispatchEvent(new Event("input"));
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}"""


def main() -> None:
    """Measure trees of these sizes, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, nargs="+", default=[10_000])
    options.add_argument("--samples", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--profile", help="write what the main thread did as a .cpuprofile")
    given = options.parse_args()
    print("| parameters | | frames a second | longest frame | CPU an event |")
    print("|---|---|---|---|---|")
    for parameters in given.parameters:
        with opened(parameters, given.samples) as page:
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
            devtools.send("Performance.enable")
            if given.profile:
                devtools.send("Profiler.enable")
                devtools.send("Profiler.start")
            rounds = [
                (scrolled(page, devtools), filtered(page, devtools)) for _ in range(given.rounds)
            ]
            if given.profile:
                profile = devtools.send("Profiler.stop")["profile"]
                Path(given.profile).write_text(json.dumps(profile), "utf-8")
        for name, kind in (("scroll", 0), ("filter", 1)):
            figures = zip(*(pair[kind] for pair in rounds), strict=True)
            rate, longest, cpu = map(statistics.median, figures)
            print(f"| {parameters:,} | {name} | {rate:.0f} | {longest:.0f} ms | {cpu:.1f} ms |")


@contextmanager
def opened(parameters: int, samples: int) -> Iterator[Page]:
    """Show a run of so many parameters, with all modules of its tree open."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store = Store(Path(folder))
        run = record_run(store, samples, parameters, 100)
        store.close()
        with served(Path(folder)) as (_process, url):
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/runs/{run}")
            page.locator("#tree .row").first.wait_for()
            page.locator("#flow .scatterlayer").first.wait_for(state="attached")
            page.locator("#expand").click()
            page.wait_for_load_state("networkidle")
            yield page
            browser.close()


Figures = tuple[float, float, float]
"""Frames a second, the longest in ms, and ms of processor time an event."""


def scrolled(page: Page, devtools: CDPSession) -> Figures:
    """Turn the wheel over the tree, down and up again."""
    box = page.locator("#tree .tree-body").bounding_box()
    assert box is not None
    page.evaluate(WHEELS)
    before = _busy(devtools)
    count_frames(page)
    for way in (-1, 1):
        devtools.send(
            "Input.synthesizeScrollGesture",
            {
                "x": box["x"] + 100,
                "y": box["y"] + 100,
                "yDistance": way * SCROLLED,
                "speed": SPEED,
                "gestureSourceType": "mouse",
            },
        )
    found = counted_frames(page)
    return _figures(found, _busy(devtools) - before, page.evaluate("window.wheels"))


def filtered(page: Page, devtools: CDPSession) -> Figures:
    """Type a filter and take it back, a letter a frame."""
    before = _busy(devtools)
    count_frames(page)
    page.evaluate(TYPE, WORDS)
    found = counted_frames(page)
    return _figures(found, _busy(devtools) - before, 3 * len(WORDS) + 2)


def _figures(found: dict[str, float], busy: float, events: float) -> Figures:
    return found["frames"] / found["seconds"], found["longest"], busy * 1000 / events


def _busy(devtools: CDPSession) -> float:
    """Return the seconds that the page's main thread has worked."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


if __name__ == "__main__":
    main()
