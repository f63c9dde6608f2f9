"""How long series and heat maps take, by the length of the run.

A made-up run (`benchmarks/histories.py`) is recorded for each length, and merged. A real server
then answers for the whole run and for ranges of it, one request after the other; its processor
time is read from the system before and after. Of heat maps it keeps what it has read: "anywhere"
asks for another twentieth of the run each time, and the first request after a start is told apart.

Usage: python benchmarks/series_time.py [--steps N ...] [--parameters N] [--requests N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np
from histories import record_run
from servers import processor_time, served

from gradgate.server.store.database import Store

COLUMNS = "application/vnd.gradgate.columns"


def main() -> None:
    """Record each run, ask, and print medians and what 95 of 100 answers stay within."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--parameters", type=int, default=100)
    options.add_argument("--requests", type=int, default=100)
    given = options.parse_args()
    print(f"{given.parameters} parameters; milliseconds: the first answer; later ones, 95 %, CPU")
    for steps in given.steps:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            run = record_run(store, steps, given.parameters, 1000)
            store.close()
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            print(f"{steps} steps, {size / 1e6:.1f} MB", flush=True)
            with served(Path(folder)) as (process, url):
                for name, paths, headers in questions(run, steps):
                    measure(name, process, [url + path for path in paths], headers, given.requests)


def questions(run: str, steps: int) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield what is asked, by name: the addresses in turn, and the headers."""
    series = f"/api/runs/{run}/series?parameter=layers.0.p0"
    heatmap = f"/api/runs/{run}/heatmap?columns=600&rows=256"
    yield "series, whole", [series], {}
    middle = f"from={steps * 45 // 100}&to={steps * 55 // 100}"
    yield "series, middle tenth", [f"{series}&{middle}"], {}
    yield "series, newest 5,000", [f"{series}&from={max(0, steps - 5000)}"], {}
    eight = "".join(f"&parameter=layers.{place}.p0" for place in range(1, 8))
    yield "series of eight, whole", [series + eight], {}
    columns = {"Accept": COLUMNS}
    yield "heat map, whole", [heatmap], columns
    yield "heat map, middle tenth", [f"{heatmap}&{middle}"], columns
    starts = np.random.default_rng(0).integers(0, steps * 95 // 100, 1000)
    ranges = [f"{heatmap}&from={start}&to={start + steps // 20}" for start in starts]
    yield "heat map, anywhere", ranges, columns


def measure(
    name: str, process: int, addresses: Sequence[str], headers: dict[str, str], requests: int
) -> None:
    """Ask so often, and print how long it took, the first time and then."""
    took = []
    turns = cycle(addresses)
    with httpx.Client(trust_env=False, timeout=60, headers=headers) as client:
        for turn in range(requests + 1):
            if turn == 1:
                begun = processor_time(process)
            address = next(turns)
            start = time.perf_counter()
            answer = client.get(address)
            took.append(1000 * (time.perf_counter() - start))
            assert answer.status_code == 200, answer.text
        spent = 1000 * (processor_time(process) - begun) / requests
    first, *later = took
    print(
        f"  {name:24}{first:8.1f}{np.median(later):8.1f}{np.percentile(later, 95):8.1f}{spent:8.1f}"
        f"  {len(answer.content):>9,} bytes",
        flush=True,
    )


if __name__ == "__main__":
    main()
