"""What the list of many runs costs: the time until it is there, and each letter of a search.

Made-up runs (`benchmarks/histories.py`) are recorded and served by a real server, and the list is
opened in headless Chromium. A letter is timed from its key to the frame that shows what it found.
Wants playwright and a Chromium: $GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/runs_page.py [--runs N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from browsers import launch
from histories import record_run
from playwright.sync_api import Page, sync_playwright
from servers import processor_time, served

from gradgate.server.protocol.runs import RunEdit
from gradgate.server.store.database import Store
from gradgate.server.store.runs import edit_run

TYPED = "run 12 warm-up lr0.1"
LETTER = """letter => new Promise(done => {
    const box = document.querySelector("#search");
    const begun = performance.now();
    box.value += letter;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""


def main() -> None:
    """Open the list, type into its search, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=500)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record_runs(Path(folder), given.runs)
        with served(Path(folder)) as (process, url), sync_playwright() as playwright:
            browser = launch(playwright)
            opened, letters, loads = [], [], []
            for _ in range(given.rounds):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                opened.append(open_list(page, url, given.runs))
                letters += [page.evaluate(LETTER, letter) for letter in TYPED]
                loads.append(load(page, process))
                page.close()
            browser.close()
    print("| runs | listed after | a letter of the search, median and greatest | server's CPU |")
    print("|---|---|---|---|")
    print(
        f"| {given.runs} | {statistics.median(opened):.2f} s "
        f"| {statistics.median(letters):.1f} ms, "
        f"{max(letters):.1f} ms | {statistics.median(loads):.1%} while it is open |"
    )


def record_runs(folder: Path, count: int) -> None:
    """Record runs of ten parameters, each with a name of its own, tags and notes."""
    store = Store(folder)
    for number in range(count):
        run = record_run(store, 40, 10, 40)
        tags = ["baseline"] if number % 10 == 0 else [f"lr{number % 3 / 10}"]
        edit = RunEdit(name=f"run {number}", tags=tags, notes="warm-up" if number % 4 else "")
        with store.write() as connection:
            edit_run(connection, run, edit)
    store.close()


def open_list(page: Page, url: str, count: int) -> float:
    """Return after how many seconds all runs are listed."""
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(
        "count => document.querySelectorAll('#runs tbody tr').length === count", arg=count
    )
    return time.perf_counter() - begun


def load(page: Page, process: int) -> float:
    """Return what share of a core the server takes while the list is open."""
    before, begun = processor_time(process), time.perf_counter()
    page.wait_for_timeout(5000)
    return (processor_time(process) - before) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
