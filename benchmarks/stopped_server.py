"""What a server that does not answer costs: the time of a training step while it stands still.

One run of the probe at every=1 trains on, and blocks of steps take turns in rotating order: the
server runs, runs again (the noise), is stopped by SIGSTOP, or the network to it passes nothing.
Each block is compared with the one of its round in which all runs, and the table shows the median
of these ratios. A block begins half a second before it is timed, and lasts long enough for what is
measured to go to the disk (5 s); after it all is stored before the next begins. At the end the
server has to have each step once.

    python benchmarks/stopped_server.py [--case NAME] [--rounds N] [--seconds N] [--threads N]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from cases import CASES, FOR_A_CPU, Case
from dashboard import Dashboard, dashboard
from probe_cost import Loop, confirm
from torch.optim import AdamW
from watchers import Probe

RUNNING = "the server runs"
BEFORE = 0.5
"""Seconds of a block that are not timed."""
PROXY = """
import sys
from tests.support.proxying import Proxy
with Proxy(int(sys.argv[1])) as proxy:
    print(proxy.url, flush=True)
    for line in sys.stdin:
        getattr(proxy, line.strip())()
        print("done", flush=True)
"""
"""A network that can be stalled, in a process of its own: it takes nothing of the job's."""


def main() -> None:
    """Time every case and print a table for each."""
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {options.threads} threads")
    for name in options.case or FOR_A_CPU:
        with dashboard() as server, network(server) as told:
            url = told.url
            ways = {
                RUNNING: Way(),
                "the server runs, again (noise)": Way(),
                "the server is stopped": Way(
                    partial(os.kill, server.pid, signal.SIGSTOP),
                    partial(os.kill, server.pid, signal.SIGCONT),
                ),
                "the network is stalled": Way(told.stall, told.flow),
            }
            watcher = Probe(url)
            case = CASES[name]()
            report(case, measure(case, watcher, ways, options.rounds, options.seconds))
            confirm(server, watcher)


class Way:
    """How a block goes: what is done before it, and undone after it."""

    def __init__(
        self, begin: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None
    ) -> None:
        self.begin = begin
        self.end = end


class Network:
    """The proxy between the job and the server."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self._process = process

    def stall(self) -> None:
        """Let nothing pass."""
        self._do("stall")

    def flow(self) -> None:
        """Let all pass."""
        self._do("flow")

    def _do(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()


@contextmanager
def network(server: Dashboard) -> Iterator[Network]:
    """Put a proxy before a server."""
    port = server.url.rpartition(":")[2]
    with subprocess.Popen(
        [sys.executable, "-c", PROXY, port],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Network(process, process.stdout.readline().strip())
        process.stdin.close()


def measure(
    case: Case, watcher: Probe, ways: Mapping[str, Way], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Return seconds a step, one for each round, for each way."""
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    watcher.attach(case.model, optimizer)
    loop = Loop(case, optimizer, watcher)
    train(loop, 2.0)
    names = list(ways)
    times = defaultdict(list)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if not watcher.run.flush(60):
                raise RuntimeError("the server did not store what the probe measured in 60 s")
            ways[name].begin()
            try:
                train(loop, BEFORE)
                times[name].append(train(loop, seconds))
            finally:
                ways[name].end()
    watcher.detach()
    return times


def train(loop: Loop, seconds: float) -> float:
    """Make steps for so long, and return the seconds of one."""
    before, start = loop.steps, time.perf_counter()
    while time.perf_counter() - start < seconds:
        loop.step()
    return (time.perf_counter() - start) / (loop.steps - before)


def report(case: Case, times: Mapping[str, list[float]]) -> None:
    """Print the medians and, for the ratios, the middle half."""
    base = times[RUNNING]
    print(f"\n{case.name}: {case.numel:,} elements in {case.tensors} tensors, {len(base)} rounds")
    print(f"{'':34}{'ms a step':>10}{'ratio':>8}   middle half")
    for name, seconds in times.items():
        line = f"{name:34}{1000 * statistics.median(seconds):10.1f}"
        ratios = [mine / running for mine, running in zip(seconds, base, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        print(line if name == RUNNING else f"{line}{ratio:8.3f}   {low:.3f}…{high:.3f}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time a step while no server answers.")
    parser.add_argument(
        "--case", action="append", choices=sorted(FOR_A_CPU), help="default: all for a CPU"
    )
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument(
        "--seconds", type=float, default=8.0, metavar="N", help="of a block; default: 8"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    return parser.parse_args()


if __name__ == "__main__":
    main()
