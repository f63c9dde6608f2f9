"""What an hour of live updates leaves in the tab: its JavaScript heap, nodes and listeners.

A run of made-up parameters is sent to a real server, sample by sample and each with a metric, as
many as a job of one sample a second sends in an hour, but faster. Its page is open in headless
Chromium all the while. The heap is read after a forced garbage collection. Wants playwright and a
Chromium: $GRADGATE_CHROMIUM or one on the PATH.

Usage: python benchmarks/page_memory.py [--parameters N] [--samples N] [--interval SECONDS]
"""

from __future__ import annotations

import argparse
import threading

import numpy as np
from browsers import launch
from dashboard import dashboard
from page_traffic import RUN, Job
from playwright.sync_api import Page, sync_playwright
from websockets.sync.client import connect

NAME = "model.layers.0.self_attn.q_proj.weight"
LOOKS = 6
QUIET_MS = 3000


def main() -> None:
    """Send the samples, and read the tab's memory now and then."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, default=1000)
    options.add_argument("--samples", type=int, default=3600)
    options.add_argument("--interval", type=float, default=0.05)
    given = options.parse_args()
    with dashboard() as server, connect(server.ws_url + "/api/ingest", max_size=None) as socket:
        job = Job(socket, given.parameters)
        threading.Thread(target=job.read, daemon=True).start()
        server.wait_for_run(RUN)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{server.url}/runs/{RUN}?selected={NAME}")
            page.locator("#tree .row").first.wait_for()
            print("| samples | heap | nodes | listeners |\n|---|---|---|---|")
            sent = 0
            for until in np.linspace(given.samples / LOOKS, given.samples, LOOKS).astype(int):
                for step in range(sent + 1, until + 1):
                    job.sample()
                    job.log(3 / step)
                    page.wait_for_timeout(given.interval * 1000)
                sent = int(until)
                page.wait_for_timeout(QUIET_MS)
                heap, nodes, listeners = memory(page)
                print(f"| {sent:,} | {heap / 1e6:.1f} MB | {nodes:,} | {listeners:,} |", flush=True)
            browser.close()


def memory(page: Page) -> tuple[float, int, int]:
    """Return the bytes of the heap after a collection, and the numbers of nodes and listeners."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    counts = session.send("Memory.getDOMCounters")
    session.detach()
    return used, counts["nodes"], counts["jsEventListeners"]


if __name__ == "__main__":
    main()
