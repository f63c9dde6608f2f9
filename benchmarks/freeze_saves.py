"""What a freeze saves: backward time and peak memory against a freeze written by hand.

The lower half of a transformer of 12 M numbers is frozen. The ways to do it take turns in one
process, in rotating order; each block is compared with the by-hand block of its own round, and the
table shows the median of these ratios. A step is forward, backward, AdamW and zero_grad; the clocks
run around ``loss.backward()``: the wall's, and the processor's, which other programs on the machine
disturb less. The peak is what a step allocates on top of weights and optimizer state: on the CPU
from the profiler's record of every allocation, which is exact.

    python benchmarks/freeze_saves.py [--rounds N] [--steps N] [--threads N] [--device cuda]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from cases import Case, gpt
from freezes import ByHand, Unfrozen, ways
from torch.optim import AdamW, Optimizer
from torch.profiler import ProfilerActivity, profile

WARM_UP = 4
"""Steps of a block before the clock: a freeze without a graph is decided in the first."""


@dataclass(frozen=True)
class Backward:
    """Seconds of a backward."""

    wall: float
    processor: float


def main() -> None:
    """Measure every way and print the table."""
    options = parse()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's log
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device != "cpu":
        torch.set_default_device(options.device)
    torch.manual_seed(0)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, load {load:.1f}")
    case = gpt()
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    print(f"{case.name}: {case.numel:,} numbers in {case.tensors} tensors, {options.rounds} rounds")
    times: dict[str, list[Backward]] = defaultdict(list)
    peaks: dict[str, int] = {}
    for turn in range(options.rounds):
        order = ways()
        first = turn % len(order)
        for way in order[first:] + order[:first]:
            took, peak = block(case, optimizer, way, options.steps)
            times[way.label].append(took)
            if peaks.setdefault(way.label, peak) != peak and options.device == "cpu":
                raise RuntimeError(f"{way.label}: a peak of {peak:,}, after {peaks[way.label]:,}")
    report(times, peaks)


def block(case: Case, optimizer: Optimizer, way: Unfrozen, steps: int) -> tuple[Backward, int]:
    """Return the medians of backward, and the peak bytes of a step."""
    way.begin(case.model, optimizer)
    for _ in range(WARM_UP):
        step(case, optimizer)
    took = [step(case, optimizer) for _ in range(steps)]
    peak = peak_bytes(lambda: step(case, optimizer))
    way.check()
    way.end()
    return Backward(
        statistics.median(each.wall for each in took),
        statistics.median(each.processor for each in took),
    ), peak


def step(case: Case, optimizer: Optimizer) -> Backward:
    """Make one training step; return what its backward took."""
    loss = case.loss()
    finish(loss.device)
    wall, processor = time.perf_counter(), time.process_time()
    loss.backward()
    finish(loss.device)
    took = Backward(time.perf_counter() - wall, time.process_time() - processor)
    optimizer.step()
    optimizer.zero_grad()
    return took


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(body: Callable[[], object]) -> int:
    """The most bytes that ``body`` had allocated at once, on top of what was there before."""
    if torch.get_default_device().type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        body()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        body()
    events = recorded.profiler.kineto_results.events()
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    if not changes:
        raise RuntimeError("the profiler recorded no allocation")
    held = most = 0
    for _, change in sorted(changes, key=lambda entry: entry[0]):
        held += change
        most = max(most, held)
    return most


def report(times: dict[str, list[Backward]], peaks: dict[str, int]) -> None:
    """Print medians, and ratios to the freeze by hand with their middle half."""
    base = times[ByHand.label]
    print(f"{'':38}{'backward ms':>11} {'ratio':23}{'processor ratio':25}{'peak MB':>7}  ratio")
    for label, mine in times.items():
        wall = [took.wall / by_hand.wall for took, by_hand in zip(mine, base, strict=True)]
        processor = [
            took.processor / by_hand.processor for took, by_hand in zip(mine, base, strict=True)
        ]
        print(
            f"{label:38}{1000 * statistics.median(took.wall for took in mine):11.1f} "
            f"{middle(wall):23}{middle(processor):25}"
            f"{peaks[label] / 1e6:7.1f}  {peaks[label] / peaks[ByHand.label]:.3f}"
        )


def middle(ratios: list[float]) -> str:
    """The median and the middle half."""
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{ratio:.3f} ({low:.3f}…{high:.3f})"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time backward and memory, frozen in many ways.")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument("--steps", type=int, default=3, metavar="N", help="a block; default: 3")
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
