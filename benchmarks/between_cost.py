"""What it costs to look at the total gradient norm of the steps between two samples.

A step is forward, backward, AdamW's step and zero_grad, with `--clip` also clip_grad_norm_. No step
of those that are timed is sampled. What is timed is all that the probe does for these norms in the
training thread, by the time of that thread, in which nobody else's work is, and the step around it;
with a GPU by the clock, and the step until the device is done. Runs that look at every step, and as
often as a share of the budget allows, take turns on one model.

    python benchmarks/between_cost.py [--case gpt|resnet|small] [--rounds N] [--steps N] [--clip]
        [--device cpu|cuda]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from cases import CASES, Case
from torch import nn
from torch.optim import AdamW, Optimizer

from gradgate import probe
from gradgate.probe.measure.clip_norms import ClipNorms
from gradgate.probe.measure.totals import StepTotals
from gradgate.probe.session.run import job_of

NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, and all that would be sent waits."""
UNSAMPLED = 1_000_000
WARM_UP = 10
"""Steps at the start of a block that are not timed: the first looks cost nothing."""
WAYS: dict[str, bool | None] = {"every step": True, "as often as allowed": None}
DONE_FOR_IT = (
    (StepTotals, ("measure", "end_step", "receive", "collect")),
    (ClipNorms, ("of", "add", "clear")),
)
"""All that the training thread does for the norms."""


@dataclass(frozen=True)
class Timed:
    """One block of steps."""

    step: float
    """Seconds of a step, without the looks."""
    look: float
    """Seconds of a step that the looks took, those that were not made with them."""
    share: float
    """Of the steps that were looked at."""


class Stopwatch:
    """Adds up what some methods take, each counted once where one calls another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._inside = False
        self.seconds = 0.0

    def wrap(self, owner: type, name: str) -> None:
        """Time every call of a method."""
        method = getattr(owner, name)

        @wraps(method)
        def timed(*args: Any, **named: Any) -> Any:
            if self._inside:
                return method(*args, **named)
            self._inside = True
            began = self._clock()
            try:
                return method(*args, **named)
            finally:
                self.seconds += self._clock() - began
                self._inside = False

        setattr(owner, name, timed)


def main() -> None:
    """Time every case and print a table for each."""
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = torch.device(options.device)
    clock = time.perf_counter if device.type == "cuda" else time.thread_time
    watch = Stopwatch(clock)
    for owner, names in DONE_FOR_IT:
        for name in names:
            watch.wrap(owner, name)
    print(f"torch {torch.__version__}, one thread, {device_name(device)}")
    for name in options.case or CASES:
        with device:
            case = CASES[name]()
            case.model.to(device)
            found = measure(case, watch, clock, options.rounds, options.steps, clip=options.clip)
        report(case, found)


def measure(
    case: Case,
    watch: Stopwatch,
    clock: Callable[[], float],
    rounds: int,
    steps: int,
    *,
    clip: bool,
) -> dict[str, list[Timed]]:
    """Return what each way took, which take turns."""
    optimizer = AdamW(case.model.parameters(), lr=1e-5)
    found: dict[str, list[Timed]] = defaultdict(list)
    for turn in range(rounds):
        for label in list(WAYS)[:: 1 if turn % 2 else -1]:
            run = probe.attach(
                case.model, optimizer, server=NOBODY, every=UNSAMPLED, totals=WAYS[label]
            )
            with run:
                block(case, optimizer, clock, WARM_UP, clip=clip)
                watch.seconds = 0.0
                seconds = block(case, optimizer, clock, steps, clip=clip)
                look = watch.seconds / steps
                share = looked_at(run) / (WARM_UP + steps)
                found[label].append(Timed(seconds - look, look, share))
    return found


def block(
    case: Case, optimizer: Optimizer, clock: Callable[[], float], steps: int, *, clip: bool
) -> float:
    """Make some steps and return the seconds of one."""
    finish(case)
    start = clock()
    for _ in range(steps):
        case.loss().backward()
        if clip:
            nn.utils.clip_grad_norm_(case.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    finish(case)
    return (clock() - start) / steps


def finish(case: Case) -> None:
    """Wait until the device is done."""
    if next(case.model.parameters()).is_cuda:
        torch.cuda.synchronize()


def looked_at(run: probe.Run) -> int:
    """Return how many steps were looked at; all that waits to be sent is taken."""
    run.flush(0)
    frames = [entry.frame for entry in job_of(run).uplink.outbox.take()]
    texts = [json.loads(frame) for frame in frames if isinstance(frame, str)]
    return sum(len(text["steps"]) for text in texts if text["type"] == "totals")


def report(case: Case, found: dict[str, list[Timed]]) -> None:
    """Print the medians and, for the cost, the middle half."""
    rounds = len(next(iter(found.values())))
    print(f"\n{case.name}: {case.numel:,} elements in {case.tensors} tensors, {rounds} rounds")
    print(f"{'':22}{'ms a step':>10}{'us for it':>11}{'looked at':>11}{'cost':>9}   middle half")
    for label, blocks in found.items():
        costs = [each.look / each.step for each in blocks]
        low, cost, high = statistics.quantiles(costs, n=4, method="inclusive")
        step = 1e3 * statistics.median(each.step for each in blocks)
        look = 1e6 * statistics.median(each.look for each in blocks)
        share = statistics.median(each.share for each in blocks)
        line = f"{label:22}{step:10.2f}{look:11.0f}{share:11.0%}{cost:9.2%}"
        print(f"{line}   {low:.2%}…{high:.2%}")


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
