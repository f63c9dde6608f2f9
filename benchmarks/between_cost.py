"""What it costs to look at the total gradient norm of the steps between two samples.

A step is forward, backward, AdamW's step and zero_grad, with `--clip` also clip_grad_norm_. No step
of those that are timed is sampled. Three runs take turns on one model, in rotating order: one that
looks at no step, one that looks as often as its share of the budget allows, and one that looks at
every step. What counts is the time of the training thread, in which nobody else's work is, or with
a GPU the time until the device is done; the table shows the median of the ratios of each round.

    python benchmarks/between_cost.py [--case gpt|resnet|small] [--rounds N] [--clip]
        [--device cpu|cuda]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from cases import CASES, Case
from torch import nn
from torch.optim import AdamW, Optimizer

from gradgate import probe
from gradgate.probe.session.run import job_of

NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, and all that would be sent waits."""
UNSAMPLED = 1_000_000
WARM_UP = 10
"""Steps at the start of a block that are not timed: the first looks cost nothing."""
WAYS: dict[str, bool | None] = {
    "no step looked at": False,
    "as often as allowed": None,
    "every step looked at": True,
}


@dataclass
class Timed:
    """What was measured of one way to look."""

    seconds: list[float] = field(default_factory=list)
    """Of a step, one for each round."""
    shares: list[float] = field(default_factory=list)
    """Of the steps that were looked at, one for each round."""


def main() -> None:
    """Time every case and print a table for each."""
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device(options.device)
    print(f"torch {torch.__version__}, one thread, {device_name(device)}")
    for name in options.case or CASES:
        with device:
            case = CASES[name]()
            case.model.to(device)
            report(case, measure(case, options.rounds, options.steps, clip=options.clip))


def measure(case: Case, rounds: int, steps: int, *, clip: bool) -> dict[str, Timed]:
    """Return what each way took, which take turns."""
    optimizer = AdamW(case.model.parameters(), lr=1e-5)
    found: dict[str, Timed] = defaultdict(Timed)
    labels = list(WAYS)
    for turn in range(rounds):
        first = turn % len(labels)
        for label in labels[first:] + labels[:first]:
            run = probe.attach(
                case.model, optimizer, server=NOBODY, every=UNSAMPLED, totals=WAYS[label]
            )
            with run:
                block(case, optimizer, WARM_UP, clip=clip)
                found[label].seconds.append(block(case, optimizer, steps, clip=clip))
                found[label].shares.append(looked_at(run) / (WARM_UP + steps))
    return found


def block(case: Case, optimizer: Optimizer, steps: int, *, clip: bool) -> float:
    """Make some steps and return the seconds of one."""
    clock, finish = clock_of(next(case.model.parameters()).device)
    finish()
    start = clock()
    for _ in range(steps):
        case.loss().backward()
        if clip:
            nn.utils.clip_grad_norm_(case.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    finish()
    return (clock() - start) / steps


def clock_of(device: torch.device) -> tuple[Callable[[], float], Callable[[], None]]:
    """Return what tells the time of the training thread, and what waits for the device."""
    if device.type == "cuda":
        return time.perf_counter, torch.cuda.synchronize
    return time.thread_time, lambda: None


def looked_at(run: probe.Run) -> int:
    """Return how many steps were looked at; all that waits to be sent is taken."""
    run.flush(0)
    frames = [entry.frame for entry in job_of(run).uplink.outbox.take()]
    texts = [json.loads(frame) for frame in frames if isinstance(frame, str)]
    return sum(len(text["steps"]) for text in texts if text["type"] == "totals")


def report(case: Case, found: dict[str, Timed]) -> None:
    """Print the medians and, for the ratios, the middle half."""
    base = found[next(iter(WAYS))].seconds
    print(f"\n{case.name}: {case.numel:,} elements in {case.tensors} tensors, {len(base)} rounds")
    print(f"{'':24}{'ms a step':>10}{'looked at':>11}{'ratio':>9}   middle half")
    for label, timed in found.items():
        ratios = [mine / bare for mine, bare in zip(timed.seconds, base, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        milliseconds = 1000 * statistics.median(timed.seconds)
        share = statistics.median(timed.shares)
        print(f"{label:24}{milliseconds:10.2f}{share:11.0%}{ratio:9.4f}   {low:.4f}…{high:.4f}")


def device_name(device: torch.device) -> str:
    """Say what computes."""
    return torch.cuda.get_device_name() if device.type == "cuda" else "on the CPU"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time looks at the steps between two samples.")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="default: all")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--steps", type=int, default=40, metavar="N", help="a block's; default: 40")
    parser.add_argument("--clip", action="store_true", help="clip the gradients in each step")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
