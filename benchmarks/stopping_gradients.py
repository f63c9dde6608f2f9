"""What each way to stop a gradient saves: time of forward and backward, and peak memory.

Twelve blocks, and a head above where the gradient is stopped. The ways take turns of a few
steps in one process, in rotating order; the fastest of a turn, which is the one that other programs
have disturbed least, is compared with that of the ``requires_grad=False`` turn of its own round,
and the table shows the median of these ratios with their middle half. The clocks
run around the forward with its loss and around ``loss.backward()``: the wall's, and the
processor's, which other programs on the machine disturb less. The step of the optimizer, plain SGD,
is not timed. The peak is what a step allocates on top of the weights.

    python benchmarks/stopping_gradients.py [--case mlp|wide|transformer] [--way TEXT]
        [--rounds N] [--steps N] [--threads N] [--device cuda]
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
    Network,
    Nothing,
    Pruning,
    RequiresGrad,
    Zeroing,
    ways,
)
from torch.optim import SGD, Optimizer

WARM_UP = 3
"""Steps before the clock: the probe's first step is sampled."""
DEAR = 1
"""Steps of a turn, at most, where the backward goes through everything."""
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
        asked = [way for way in ways() if is_asked_for(way.label, options.way)]
        times, peaks = measure(case, asked, options.rounds, options.steps)
        report(case, times, peaks)
        for label in (Pruning.label, OUTPUT_GATE, METRIC_GATE):
            if label in times:
                aims(label, times)


def is_asked_for(label: str, parts: list[str] | None) -> bool:
    """Whether a way is wanted; what the others are compared with always is."""
    always = label in (RequiresGrad.label, Zeroing.label)
    return parts is None or always or any(part in label for part in parts)


def measure(
    case: Case, asked: list[Nothing], rounds: int, steps: int
) -> tuple[dict[str, list[Took]], dict[str, list[int]]]:
    """What each way took, once for each round, and its peak bytes."""
    order = [Contestant(case, way) for way in asked]
    times: dict[str, list[Took]] = defaultdict(list)
    for turn in range(rounds):
        first = turn % len(order)
        for each in order[first:] + order[:first]:
            times[each.way.label].append(each.turn(steps))
    peaks = {each.way.label: [each.end()] for each in order}
    # In the order of the ways, whatever round they began in.
    return {each.way.label: times[each.way.label] for each in order}, peaks


class Contestant:
    """A way at work on a network of its own, which has the weights of all others."""

    def __init__(self, case: Case, way: Nothing) -> None:
        self.way = way
        self._case = case
        self._model = case.copy()
        self._optimizer = SGD(self._model.parameters(), lr=1e-3)
        way.begin(self._model, self._optimizer)
        for _ in range(WARM_UP):
            self._step()

    def turn(self, steps: int) -> Took:
        """Return the fastest of some steps."""
        timed = steps if self.way.leaves == "None" else min(steps, DEAR)
        took = [self._step() for _ in range(timed)]
        return Took(
            min(each.forward for each in took),
            min(each.backward for each in took),
            min(each.processor for each in took),
        )

    def end(self) -> int:
        """See that the gradient was stopped; return the peak bytes of one more step."""
        peak = peak_bytes(self._step)
        self._case.loss(self._model).backward()
        self.way.check(self._model)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.way.end(self._model)
        return peak

    def _step(self) -> Took:
        return step(self._case, self._model, self._optimizer, self.way)


def step(case: Case, model: Network, optimizer: Optimizer, way: Nothing) -> Took:
    """Make one training step; return what its forward and its backward took."""
    start = time.perf_counter()
    loss = case.loss(model)
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
    """Print whether the aims hold for the way of this label, by either clock."""
    print(f"\n{label}:")
    for clock in (wall, processor):
        close = statistics.median(clock(times, label, RequiresGrad.label))
        factor = statistics.median(clock(times, Zeroing.label, label))
        print(
            f"  {clock.__name__}: {close:.3f} of requires_grad=False, the aim was {CLOSE} at most: "
            f"{'met' if close <= CLOSE else 'missed'}; a zeroing function takes {factor:.1f} times "
            f"as long, the aim was {FACTOR:g} at least: {'met' if factor >= FACTOR else 'missed'}"
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
    parser.add_argument("--way", action="append", metavar="TEXT", help="those with TEXT in them")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="a turn; default: 5")
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
