"""What watching costs: the time of a training step with the probe and with its peers.

A step is forward, backward, AdamW's step and zero_grad. The watchers take turns in one process, in
rotating order, with a bare block between any two. A machine's speed drifts, so each block of steps
is compared with the bare ones before and behind it: the table shows the median of these ratios,
their middle half, and their mean with its standard error.

    python benchmarks/probe_cost.py [--case gpt|gpt-large|gpt-124m|resnet|small|compiled|ddp]
        [--rounds N] [--threads N] [--device cuda] [--seconds S] [--without-peers]
        [--without-default] [--without-movement] [--against CHECKOUT]

The probe takes its turns at every=1 and as it is by default, after 3 s in which it finds its pace
and looks more often than later. Where a machine's speed changes from second to second, many short
blocks say more than a few long ones: ``--seconds 1 --rounds 30 --without-default``.
``own_share.py`` measures less, with less noise.

The case ``ddp`` is trained by two processes, whose second does what the first does; peers are left
out there. With ``--without-movement`` a probe that looks at no weight takes its turns. With
``--against`` the probe of another checkout (an earlier commit, say) takes its turns, too.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from cases import CASES, FOR_A_CPU, Case
from dashboard import Dashboard, dashboard
from torch.optim import AdamW, Optimizer
from two_ranks import TWO_PROCESSES, second_rank
from watchers import Bare, BareAgain, Default, OtherProbe, Probe, WithoutMovement

LONGEST = 3.0
"""Seconds after which a block ends by default, also when it has not made all its steps."""
TOGETHER = 25
"""Steps in a second of warming up, where several processes have to make as many."""


def main() -> None:
    """Time every case and print a table for each."""
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    torch.manual_seed(0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores, torch {torch.__version__}, {torch.get_num_threads()} threads")
    if options.device == "cuda":
        print(torch.cuda.get_device_name())

    peers = [] if options.without_peers else make_peers()
    with dashboard() as server:
        for name in options.case or FOR_A_CPU:
            if name == TWO_PROCESSES:
                with second_rank(server.url, options.rounds, options.threads):
                    time_case(name, server, options, [])
            else:
                time_case(name, server, options, peers)


def time_case(name: str, server: Dashboard, options: argparse.Namespace, peers: list[Bare]) -> None:
    """Time a case and print its table."""
    case = CASES[name]()
    watching: list[Probe] = [Probe(server.url)]
    # The second process takes these turns, and no others.
    if not options.without_default or case.ranks > 1:
        watching.append(Default(server.url))
    if options.without_movement and case.ranks == 1:
        watching.append(WithoutMovement(server.url))
    if options.against is not None and case.ranks == 1:
        watching.append(OtherProbe(server.url, options.against))
    report(
        case,
        measure(case, [BareAgain(), *watching, *peers], options.rounds, options.seconds),
    )
    for probe in watching:
        if probe.every == 1:
            confirm(server, probe)


def make_peers() -> list[Bare]:
    """Make the peers, whose packages are wanted only here."""
    from peers import TensorBoard, Wandb

    return [Wandb(), TensorBoard()]


class Timed(NamedTuple):
    """A block of steps, in seconds a step."""

    seconds: float
    bare: float
    """Of the bare blocks before and behind it, their mean."""

    @property
    def ratio(self) -> float:
        """How many times as long as a bare step each step took."""
        return self.seconds / self.bare


def measure(
    case: Case, watchers: Sequence[Bare], rounds: int, longest: float = LONGEST
) -> dict[str, list[Timed]]:
    """Return the blocks of each watcher, one for each round.

    A block is timed for ``longest`` seconds at most.
    """
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    times = defaultdict(list)
    before = block(case, optimizer, Bare(), longest)
    for turn in range(rounds):
        first = turn % len(watchers)
        for watcher in (*watchers[first:], *watchers[:first]):
            seconds = block(case, optimizer, watcher, longest)
            behind = block(case, optimizer, Bare(), longest)
            times[watcher.label].append(Timed(seconds, (before + behind) / 2))
            before = behind
    return times


def block(case: Case, optimizer: Optimizer, watcher: Bare, longest: float) -> float:
    """Attach, warm up, time some steps, detach; return seconds a step."""
    watcher.attach(case.model, optimizer)
    loop = Loop(case, optimizer, watcher)
    warm = time.perf_counter() + watcher.warm_up
    together = case.ranks > 1
    while loop.steps < (TOGETHER * watcher.warm_up if together else 2) or (
        not together and time.perf_counter() < warm
    ):
        loop.step()
    before, start = loop.steps, time.perf_counter()
    while loop.steps - before < case.steps and (together or time.perf_counter() - start < longest):
        loop.step()
    seconds = (time.perf_counter() - start) / (loop.steps - before)
    watcher.detach()
    return seconds


class Loop:
    """A training loop that can be stepped."""

    def __init__(self, case: Case, optimizer: Optimizer, watcher: Bare) -> None:
        self.steps = 0
        self._case = case
        self._optimizer = optimizer
        self._watcher = watcher

    def step(self) -> None:
        """Make one training step."""
        self.steps += 1
        loss = self._case.loss()
        loss.backward()
        self._watcher.after_backward(self.steps)
        self._optimizer.step()
        self._watcher.after_step(self.steps, loss.item())
        self._optimizer.zero_grad()


def report(case: Case, times: dict[str, list[Timed]]) -> None:
    """Print what a step takes, and what of that is the watcher's."""
    bare = [timed.bare for blocks in times.values() for timed in blocks]
    rounds = len(bare) // len(times)
    print(f"\n{case.name}: {case.numel:,} elements in {case.tensors} tensors, {rounds} rounds")
    print(f"{'':42}{'ms a step':>10}{'ratio':>8}   {'middle half':14}mean")
    print(f"{Bare.label:42}{1000 * statistics.median(bare):10.1f}")
    for label, blocks in times.items():
        seconds = 1000 * statistics.median(timed.seconds for timed in blocks)
        print(f"{label:42}{seconds:10.1f}{spread([timed.ratio for timed in blocks])}")
    for other, words in (
        (WithoutMovement, "with movement to without"),
        (OtherProbe, "this checkout to the other"),
    ):
        if other.label in times:
            pairs = zip(times[Probe.label], times[other.label], strict=True)
            print(f"{words:52}{spread([mine.ratio / its.ratio for mine, its in pairs])}")


def spread(ratios: Sequence[float]) -> str:
    """Return the median of ratios, their middle half, and their mean with its standard error."""
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    error = statistics.stdev(ratios) / math.sqrt(len(ratios))
    half = f"{low:.3f}…{high:.3f}"
    return f"{median:8.3f}   {half:14}{statistics.mean(ratios):.3f} ± {error:.3f}"


def confirm(server: Dashboard, watching: Probe) -> None:
    """Check that the server stored a sample for each step that the probe saw."""
    for run, steps in watching.runs.items():
        stored = server.get(f"/api/runs/{run}")["samples"]
        if stored != steps:
            raise RuntimeError(f"run {run} made {steps} steps, but {stored} samples were stored")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time a training step, watched and not.")
    parser.add_argument(
        "--case", action="append", choices=sorted(CASES), help="default: all for a CPU"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument(
        "--without-peers", action="store_true", help="time the probe alone, which is faster"
    )
    parser.add_argument(
        "--seconds", type=float, default=LONGEST, metavar="S", help="a block's most (default: 3)"
    )
    parser.add_argument(
        "--without-default", action="store_true", help="time the probe at every=1 only"
    )
    parser.add_argument(
        "--without-movement", action="store_true", help="time the probe without movement, too"
    )
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="time the probe of this checkout, too"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
