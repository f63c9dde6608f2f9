"""What the probe costs a whole step, seen closely: two copies of a model take turns of a few steps.

    python benchmarks/side_by_side.py [--case gpt|gpt-large|gpt-124m|resnet|small|compiled]
        [--every N | --by-default | --bare] [--seconds S] [--threads N]

One copy is watched and streams to a real server, and the other is not. A machine's speed drifts
within seconds, which hits turns that follow one another alike; where a model lies in memory has it
faster or slower than its copy by a percent, so that in the second half the other one is watched.
Steps of more than twice the median, in which the machine stood still, are left out on both sides
and counted. The ratio is that of the mean steps, with a standard error from the turns: with steps
that vary by an eighth it takes some ten minutes to see a quarter of a percent. ``--bare`` watches
neither: it shows how far the figures can be trusted.

No job takes turns with another. The first steps of a turn find the other copy in the processor's
caches, and do what fell due in its turn. The first ratio has them, and is too high by what it takes
to get the probe back into the caches; the second has not, and is too low by a part of what is done
once in so many seconds. What a job pays lies between the two.

``probe_cost.py`` compares with the peers, and with two processes; ``own_share.py`` has the clock of
the probe's hooks alone.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from cases import CASES, Case
from dashboard import Dashboard, dashboard
from probe_cost import Loop, confirm
from torch.optim import AdamW
from watchers import Bare, Default, Probe

TURN = 5
"""Steps that one copy makes before it is the other's turn."""
LEAD = 2
"""Steps at the start of each turn that the second ratio leaves out."""
SETTLES = 5.0
"""Seconds at the start of each half, in which the probe looks more often, that do not count."""
STOOD_STILL = 2.0
"""How many times the median a step takes in which the machine did something else."""


class Half(NamedTuple):
    """What the turns of both copies took, seconds a step."""

    watched: list[list[float]]
    bare: list[list[float]]


class Ratio(NamedTuple):
    """How many times as long as a bare step a watched one takes."""

    value: float
    error: float
    bare: float
    """Seconds of a bare step."""
    left_out: int
    """Steps in which the machine stood still, on both sides."""


def main() -> None:
    """Measure every case and print a line for each."""
    options = parse()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.seconds:g} s a case")
    print(f"{'':28}{'a bare step':>12}{'ratio':>9}{'of later steps':>24}   {'halves':18}left out")
    with dashboard() as server:
        for name in options.case or ("compiled", "small"):
            report(*measure(CASES[name], server, options))


def measure(
    make: Callable[[], Case], server: Dashboard, options: argparse.Namespace
) -> tuple[Case, list[Half]]:
    """Return the case, and its turns in both halves: each copy is watched in one of them."""
    copies = [make(), make()]
    optimizers = [AdamW(case.model.parameters(), lr=1e-4) for case in copies]
    halves = []
    for watched in range(2):
        watchers = [Bare(), Bare()]
        if not options.bare:
            watchers[watched] = watcher_of(server, options)
        loops = []
        for case, optimizer, watcher in zip(copies, optimizers, watchers, strict=True):
            watcher.attach(case.model, optimizer)
            loops.append(Loop(case, optimizer, watcher))
        *_, _last = turns(loops, SETTLES)
        taken = list(turns(loops, options.seconds / 2))
        for watcher in watchers:
            watcher.detach()
            if isinstance(watcher, Probe) and watcher.every == 1:
                confirm(server, watcher)
        halves.append(
            Half([pair[watched] for pair in taken], [pair[1 - watched] for pair in taken])
        )
    return copies[0], halves


def watcher_of(server: Dashboard, options: argparse.Namespace) -> Probe:
    """Return the probe as it is asked for."""
    if options.by_default:
        return Default(server.url)
    watcher = Probe(server.url)
    watcher.every = options.every
    return watcher


def turns(loops: Sequence[Loop], seconds: float) -> Iterator[list[list[float]]]:
    """Make steps for some time; of each turn yield the seconds of the steps of each copy."""
    until, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        number += 1
        taken: list[list[float]] = [[], []]
        for k in (0, 1) if number % 2 else (1, 0):
            for _ in range(TURN):
                start = time.perf_counter()
                loops[k].step()
                taken[k].append(time.perf_counter() - start)
        yield taken


def ratio(halves: Sequence[Half], lead: int = 0) -> Ratio:
    """Return the ratio of the mean steps of some halves, of which each weighs the same.

    ``lead``: steps at the start of each turn that are left out.
    """
    values, errors, steps, left_out = [], [], [], 0
    for half in halves:
        most = STOOD_STILL * statistics.median(step for turn in half.bare for step in turn)
        watched, bare = ([[s for s in turn[lead:] if s < most] for turn in side] for side in half)
        left_out += sum(len(turn[lead:]) for side in half for turn in side)
        left_out -= sum(len(turn) for side in (watched, bare) for turn in side)
        mean = statistics.fmean(step for turn in bare for step in turn)
        values.append(statistics.fmean(step for turn in watched for step in turn) / mean)
        apart = [
            (statistics.fmean(mine) - statistics.fmean(its)) / mean
            for mine, its in zip(watched, bare, strict=True)
            if mine and its
        ]
        errors.append(statistics.stdev(apart) / math.sqrt(len(apart)))
        steps.append(mean)
    error = math.hypot(*errors) / len(halves)
    return Ratio(statistics.fmean(values), error, statistics.fmean(steps), left_out)


def report(case: Case, halves: Sequence[Half]) -> None:
    """Print a line for a case."""
    both, rest = ratio(halves), ratio(halves, LEAD)
    each = " ".join(f"{ratio([half]).value:.4f}" for half in halves)
    print(
        f"{case.name:28}{1000 * both.bare:9.1f} ms{both.value:9.4f} ± {both.error:.4f}"
        f"{rest.value:9.4f} ± {rest.error:.4f}   {each:18}{both.left_out:5}",
        flush=True,
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time whole steps, watched and not, in turn.")
    parser.add_argument(
        "--case",
        action="append",
        choices=sorted(name for name in CASES if name != "ddp"),
        help="default: compiled and small",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--every", type=int, default=1, metavar="N", help="sample each n-th step (default: 1)"
    )
    how.add_argument(
        "--by-default", action="store_true", help="sample as often as it does by itself"
    )
    how.add_argument("--bare", action="store_true", help="watch neither: the noise")
    parser.add_argument(
        "--seconds", type=float, default=600.0, metavar="S", help="for a case (default: 600)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    return parser.parse_args()


if __name__ == "__main__":
    main()
