"""How fast a run is exported, and how much memory that takes, by the length of the run.

A made-up run (`benchmarks/histories.py`) is recorded for each length, and merged. A real server
then sends its table of samples in each format; its processor time and the most memory that it held
meanwhile are read from the system.

Usage: python benchmarks/export_cost.py [--steps N ...] [--parameters N] [--formats NAME ...]
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from histories import record_run

from gradgate.server.store.database import Store


def main() -> None:
    """Record each run, export it, and print what that took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, nargs="+", default=[250, 1000, 4000])
    options.add_argument("--parameters", type=int, default=10_000)
    options.add_argument("--formats", nargs="+", default=["parquet", "csv", "html"])
    given = options.parse_args()
    for steps in given.steps:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            run = record_run(store, steps, given.parameters, 100)
            store.close()
            for wanted in given.formats:
                with served(Path(folder)) as (process, url):
                    report(process, url, run, wanted, steps * given.parameters)


def report(process: psutil.Process, url: str, run: str, wanted: str, rows: int) -> None:
    """Export once, and print rows a second, bytes a row, processor time and memory."""
    httpx.get(f"{url}/api/runs/{run}").raise_for_status()
    idle = process.memory_info().rss
    before = process.cpu_times()
    query = {"format": wanted} | ({} if wanted == "html" else {"table": "samples"})
    started, size, most = time.perf_counter(), 0, idle
    path = f"{url}/api/runs/{run}/export"
    headers = {"Accept-Encoding": "identity"}
    with httpx.stream("GET", path, params=query, headers=headers, timeout=600) as answer:
        answer.raise_for_status()
        for piece in answer.iter_raw():
            size += len(piece)
            most = max(most, process.memory_info().rss)
    seconds = time.perf_counter() - started
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    print(
        f"{rows:>12,} rows  {wanted:8} {seconds:7.1f} s  {rows / seconds / 1e6:6.2f} M rows/s  "
        f"{used:6.1f} s CPU  {size / 1e6:8.2f} MB  {size / rows:5.2f} bytes a row  "
        f"memory {idle / 1e6:.0f} to {most / 1e6:.0f} MB",
        flush=True,
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Start a server on a data folder; its process and its address."""
    command = [sys.executable, "-c", "from gradgate.server.cli.main import main; main()"]
    server = subprocess.Popen(
        [*command, "serve", "--port", "0", "--data", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    match = re.search(r"http://\S+", server.stdout.readline())
    assert match is not None
    try:
        yield psutil.Process(server.pid), match[0].rstrip("/")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


if __name__ == "__main__":
    main()
