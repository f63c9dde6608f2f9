"""What opening a run's page costs: bytes on the wire, and the time until it can be used.

A made-up run (`benchmarks/histories.py`) is recorded and served by a real server, and its page is
opened in headless Chromium, each time with a new profile, and then again with the same one. Usable
is a page that shows its first row and has drawn the gradient flow; the time is counted from when
the address was entered. Wants playwright and a Chromium: $GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/page_open.py [--parameters N ...] [--samples N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from browsers import ARGUMENTS, chromium
from histories import record_run
from playwright.sync_api import BrowserContext, Playwright, sync_playwright
from servers import processor_time, served

from gradgate.server.store.database import Store


def main() -> None:
    """Open each run, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, nargs="+", default=[10, 10_000])
    options.add_argument("--samples", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    print("| parameters | opened | bytes | requests | usable after | server's CPU |")
    print("|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        for parameters in given.parameters:
            with tempfile.TemporaryDirectory() as folder:
                store = Store(Path(folder))
                run = record_run(store, given.samples, parameters, 100)
                store.close()
                with served(Path(folder)) as (process, url):
                    visits = [
                        visit(playwright, process, f"{url}/runs/{run}") for _ in range(given.rounds)
                    ]
            for name, kind in (("first", 0), ("again", 1)):
                figures = zip(*(pair[kind] for pair in visits), strict=True)
                size, requests, seconds, cpu = map(statistics.median, figures)
                print(
                    f"| {parameters:,} | {name} | {size:,.0f} | {requests:.0f} | {seconds:.2f} s "
                    f"| {cpu:.2f} s |",
                    flush=True,
                )


Figures = tuple[float, float, float, float]


def visit(playwright: Playwright, process: int, address: str) -> tuple[Figures, Figures]:
    """Open a page twice with a new profile; bytes, requests, seconds, and the server's CPU."""
    with tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            args=ARGUMENTS,
            viewport={"width": 1440, "height": 900},
        )
        found = opened(context, process, address), opened(context, process, address)
        context.close()
    return found


def opened(context: BrowserContext, process: int, address: str) -> Figures:
    """Open a page in a tab of its own."""
    page = context.new_page()
    sizes: list[float] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")

    def finished(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    network.on("Network.loadingFinished", finished)
    before, begun = processor_time(process), time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator("#tree .row").first.wait_for()
    page.locator("#flow .scatterlayer").first.wait_for(state="attached")
    seconds = time.perf_counter() - begun
    page.wait_for_load_state("networkidle")
    cpu = processor_time(process) - before
    page.close()
    return float(sum(sizes)), float(sum(size > 0 for size in sizes)), seconds, cpu


if __name__ == "__main__":
    main()
