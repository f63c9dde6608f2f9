"""What each way to stop a gradient saves: time of forward and backward, and peak memory.

Twelve blocks, and a head above the place where the gradient is stopped. The ways take turns in one
process, in rotating order; the fastest of each block of steps, which is the one that other programs
have disturbed least, is compared with that of the ``requires_grad=False`` block of its own round,
and the table shows the median of these ratios with their middle half. The clocks
run around the forward with its loss and around ``loss.backward()``: the wall's, and the
processor's, which other programs on the machine disturb less. The step of the optimizer, plain SGD,
is not timed. The peak is what a step allocates on top of the weights.

    python benchmarks/stopping_gradients.py [--case mlp|wide|transformer] [--rounds N] [--steps N]
        [--threads N] [--device cuda]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass

import torch
from freeze_saves import finish, middle, peak_bytes
from stops import (
    CASES,
    METRIC_GATE,
    OUTPUT_GATE,
    Case,
    Nothing,
    Pruning,
    RequiresGrad,
    Zeroing,
    ways,
)
from torch.optim import SGD, Optimizer

WARM_UP = 3
"""Steps of a block before the clock: the probe's first step is sampled."""
DEAR = 2
"""Steps of a block, at most, where the backward goes through everything."""
CLOSE, FACTOR = 1.05, 20.0
"""The aims: a gate's backward against requires_grad=False, and a zeroing function's against it."""


@dataclass(frozen=True)
class Took:
    """Seconds of a step, or the least of some."""

    forward: float
    backward: float
    processor: float
    """Of the backward."""


def main() -> None:
    """Measure every way on every case and print a table for each."""
    options = parse()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's log
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device != "cpu":
        torch.set_default_device(options.device)
    torch.manual_seed(0)
    for name in options.case or CASES:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {load:.1f}")
        case = CASES[name]()
        times, peaks = measure(case, options.rounds, options.steps)
        report(case, times, peaks)
        for label in (Pruning.label, OUTPUT_GATE, METRIC_GATE):
            aims(label, times)


def measure(
    case: Case, rounds: int, steps: int
) -> tuple[dict[str, list[Took]], dict[str, list[int]]]:
    """What each way took, and its peak bytes, one for each round."""
    optimizer = SGD(case.model.parameters(), lr=1e-3)
    times: dict[str, list[Took]] = defaultdict(list)
    peaks: dict[str, list[int]] = defaultdict(list)
    order = ways()
    for turn in range(rounds):
        first = turn % len(order)
        for way in order[first:] + order[:first]:
            took, peak = block(case, optimizer, way, steps)
            times[way.label].append(took)
            peaks[way.label].append(peak)
    # In the order of the ways, whatever round they began in.
    return {way.label: times[way.label] for way in order}, peaks


def block(case: Case, optimizer: Optimizer, way: Nothing, steps: int) -> tuple[Took, int]:
    """Return the fastest of a block of steps, and the peak bytes of one more."""
    way.begin(case.model, optimizer)
    for _ in range(WARM_UP):
        step(case, optimizer, way)
    timed = steps if way.leaves == "None" else min(steps, DEAR)
    took = [step(case, optimizer, way) for _ in range(timed)]
    peak = peak_bytes(lambda: step(case, optimizer, way))
    case.loss().backward()
    way.check(case.model)
    optimizer.step()
    optimizer.zero_grad()
    way.end(case.model)
    return Took(
        min(each.forward for each in took),
        min(each.backward for each in took),
        min(each.processor for each in took),
    ), peak


def step(case: Case, optimizer: Optimizer, way: Nothing) -> Took:
    """Make one training step; return what its forward and its backward took."""
    start = time.perf_counter()
    loss = case.loss()
    finish(loss.device)
    forward = time.perf_counter() - start
    wall, processor = time.perf_counter(), time.process_time()
    loss.backward()
    finish(loss.device)
    took = Took(forward, time.perf_counter() - wall, time.process_time() - processor)
    optimizer.step()
    way.after_step(loss)
    optimizer.zero_grad()
    return took


def report(case: Case, times: dict[str, list[Took]], peaks: dict[str, list[int]]) -> None:
    """Print medians, and ratios to requires_grad=False with their middle half."""
    rounds = len(times[RequiresGrad.label])
    below = sum(parameter.numel() for parameter in case.model.body.parameters())
    above = sum(parameter.numel() for parameter in case.model.head.parameters())
    print(f"\n{case.name}: {below:,} numbers below, {above:,} above, {rounds} rounds")
    print(
        f"{'':40}{'forward ms':>10}{'backward ms':>12} {'ratio':24}{'processor ratio':24}"
        f"{'peak MB':>7}"
    )
    for label, mine in times.items():
        print(
            f"{label:40}{1000 * statistics.median(took.forward for took in mine):10.2f}"
            f"{1000 * statistics.median(took.backward for took in mine):12.2f} "
            f"{middle(wall(times, label, RequiresGrad.label)):24}"
            f"{middle(processor(times, label, RequiresGrad.label)):24}"
            f"{statistics.median(peaks[label]) / 1e6:7.1f}"
        )


def aims(label: str, times: dict[str, list[Took]]) -> None:
    """Print whether the aims hold for the way of this label."""
    close = statistics.median(wall(times, label, RequiresGrad.label))
    factor = statistics.median(wall(times, Zeroing.label, label))
    more = statistics.median(
        mine.backward - base.backward
        for mine, base in zip(times[label], times[RequiresGrad.label], strict=True)
    )
    print(f"\n{label}:")
    print(
        f"  {close:.3f} of requires_grad=False ({1e6 * more:+.0f} µs); "
        f"the aim was {CLOSE} at most: {'met' if close <= CLOSE else 'missed'}"
    )
    print(
        f"  a zeroing function takes {factor:.1f} times as long; "
        f"the aim was {FACTOR:g} at least: {'met' if factor >= FACTOR else 'missed'}"
    )


def wall(times: dict[str, list[Took]], label: str, base: str) -> list[float]:
    """The ratios of backward's seconds, round by round."""
    return [
        mine.backward / other.backward
        for mine, other in zip(times[label], times[base], strict=True)
    ]


def processor(times: dict[str, list[Took]], label: str, base: str) -> list[float]:
    """The ratios of the processor's seconds in backward, round by round."""
    return [
        mine.processor / other.processor
        for mine, other in zip(times[label], times[base], strict=True)
    ]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time the ways to stop a gradient.")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="default: all")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="a block; default: 5")
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
