"""What a traced step costs, against a normal one; and what normal steps of the same run cost.

A step is forward, backward, AdamW's step and zero_grad, watched by the probe without a server.
Plain steps, traced steps and the steps in between take turns in one process, in rotating order;
each round's steps are compared with the plain ones of that round, and the table shows the median
of these ratios. A traced step is timed from one boundary to the next, and so holds the tracing, the
search for causes and what is told of them.

    python benchmarks/trace_cost.py [--case gpt|resnet|small] [--rounds N] [--threads N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

import torch
from cases import CASES, Case
from torch.optim import AdamW, Optimizer

from gradgate import probe

AIM = 10.0
"""Times a normal step that a traced one may take on 400 tensors."""
STEPS = 3
"""Steps of each kind in a round."""


def main() -> None:
    """Time every case and print a table for each."""
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name in options.case or CASES:
        case = CASES[name]()
        report(case, measure(case, options.rounds))


def measure(case: Case, rounds: int) -> dict[str, list[float]]:
    """Return seconds a step, one for each round, for each kind of step."""
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    times = defaultdict(list)
    for turn in range(rounds + 1):
        first = turn % len(KINDS)
        for kind in KINDS[first:] + KINDS[:first]:
            seconds = kind(case, optimizer)
            if turn:  # the first round warms up
                times[kind.__name__].append(seconds)
    return times


def bare(case: Case, optimizer: Optimizer) -> float:
    """Plain steps, without the probe."""
    return timed(case, optimizer)


def bare_again(case: Case, optimizer: Optimizer) -> float:
    """The noise: the same against the same."""
    return timed(case, optimizer)


def watched(case: Case, optimizer: Optimizer) -> float:
    """Steps of a run that was explained once, before."""
    with probe.attach(case.model, optimizer, server=False, every=1) as run:
        run.explain()
        timed(case, optimizer)
        return timed(case, optimizer)


def traced(case: Case, optimizer: Optimizer) -> float:
    """Steps that are all traced."""
    with probe.attach(case.model, optimizer, server=False, every=1) as run:
        timed(case, optimizer)
        return timed(case, optimizer, run)


def timed(case: Case, optimizer: Optimizer, run: probe.Run | None = None) -> float:
    """Make some steps, traced if a run is given; return the median's seconds."""
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        if run is not None:
            run.explain()
        loss = case.loss()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        if run is not None and run.explanations():
            raise RuntimeError("a healthy model got a verdict")
        optimizer.zero_grad()
    return statistics.median(seconds)


KINDS = (bare, bare_again, watched, traced)


def report(case: Case, times: dict[str, list[float]]) -> None:
    """Print the medians and, for the ratios, the middle half."""
    base = times[bare.__name__]
    print(f"\n{case.name}: {case.numel:,} elements in {case.tensors} tensors, {len(base)} rounds")
    print(f"{'':24}{'ms a step':>10}{'ratio':>8}   middle half")
    for label in (kind.__name__ for kind in KINDS):
        seconds = times[label]
        ratios = [mine / plain for mine, plain in zip(seconds, base, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        line = f"{label.replace('_', ' '):24}{1000 * statistics.median(seconds):10.1f}"
        print(line if label == bare.__name__ else f"{line}{ratio:8.3f}   {low:.3f}…{high:.3f}")
        if label == traced.__name__:
            print(f"the aim for 400 tensors: {AIM:.0f}; {'met' if ratio <= AIM else 'missed'}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time traced steps against normal ones.")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="default: all")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
