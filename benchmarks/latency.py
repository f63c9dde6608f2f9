"""How long a step takes from the job to the screen.

A real job with 1,000 parameters, a real server, and a headless Chromium on the run's page: from the
moment at which `optimizer.step()` returns in the job to the moment at which the page's text shows
that step or a later one. All three read the same clock, that of the machine.

    python benchmarks/latency.py [--steps N] [--pause SECONDS]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import torch
from browsers import chromium
from dashboard import Dashboard, dashboard
from playwright.sync_api import Page, sync_playwright

JOB = Path(__file__).with_name("latency_job.py")
SETTLE_MS = 30_000
OBSERVE = """
() => {
  const element = document.querySelector('[data-fact="step"]');
  window.seen = [];
  const note = () => {
    const step = Number(element.textContent.replace(/[^0-9]/g, ""));
    window.seen.push([step, Date.now() / 1000]);
  };
  const changes = { childList: true, characterData: true, subtree: true };
  new MutationObserver(note).observe(element, changes);
}
"""
SHOWN = "last => window.seen.some(([step]) => step >= last)"


def main() -> None:
    """Measure and print the median and the worst latency."""
    options = parse()
    with dashboard() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        made, seen = watch(page, server, options.steps, options.pause)
        browser.close()
    delays = latencies(made, seen)
    between = statistics.median(later - sooner for sooner, later in pairwise(made.values()))
    percentile = statistics.quantiles(delays, n=20)[-1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores, torch {torch.__version__}, 1 thread")
    print(f"{len(delays)} steps of a model of 1,000 parameters, {between:.3f} s apart (median)")
    print(f"from optimizer.step() to the page: median {statistics.median(delays):.3f} s,")
    print(f"95 % within {percentile:.3f} s, worst {max(delays):.3f} s")


def watch(
    page: Page, server: Dashboard, steps: int, pause: float
) -> tuple[dict[int, float], list[tuple[int, float]]]:
    """Return when each step was made, and every change of the step that the page showed."""
    command = [sys.executable, str(JOB), "--server", server.url]
    command += ["--steps", str(steps), "--pause", str(pause)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdin is not None
        assert job.stdout is not None
        run = job.stdout.readline().strip()
        server.wait_for_run(run)
        page.goto(f"{server.url}/runs/{run}", wait_until="networkidle")
        page.evaluate(OBSERVE)
        output, _ = job.communicate("go\n")
    if job.returncode:
        raise RuntimeError(f"the job ended with code {job.returncode}")
    made = {int(step): float(at) for step, at in map(str.split, output.splitlines())}
    page.wait_for_function(SHOWN, arg=steps, timeout=SETTLE_MS)
    return made, page.evaluate("window.seen")


def latencies(made: dict[int, float], seen: list[tuple[int, float]]) -> list[float]:
    """Return seconds from each step to the first time that the page showed it or a later one."""
    return [next(at for shown, at in seen if shown >= step) - made[step] for step in made]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time a step from the job to the screen.")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--pause", type=float, default=0.1, metavar="SECONDS", help="between steps; default: 0.1"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
