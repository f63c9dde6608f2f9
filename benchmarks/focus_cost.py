"""What a job pays for distributions: while nobody looks, and for a look at one parameter.

Two things are timed, in turn and as medians. First, what the sampled steps of a job do when nobody
looks, against the sampling of 400 small gradients itself. Second, one look at the gradient and
weight of a parameter of some sizes, against their L2 norms, and how often a job with the default
budget then looks, if it trains on nothing else.

    python benchmarks/focus_cost.py [--rounds N] [--threads N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.focus import INTERVAL, SHARE, Focus
from gradgate.probe.measure.norms import grad_norms
from gradgate.probe.model.table import ParameterTable

SIZES = (1_000, 100_000, 10_000_000)
TENSORS = 400
BUDGET = 0.01
"""As ``attach`` has it where nothing else is said."""


def main() -> None:
    """Time both and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    idle(options.rounds)
    for size in SIZES:
        look(size, options.rounds)


def idle(rounds: int) -> None:
    """Print what nobody's looking costs a sampled step."""
    parameters = [nn.Parameter(torch.randn(16, 16)) for _ in range(TENSORS)]
    focus = focus_on(*parameters)
    grads = [torch.randn(16, 16) for _ in range(TENSORS)]

    def nobody() -> None:
        focus.begin()
        if focus.looking:
            focus.measure(range(TENSORS))
        focus.finish(1)
        focus.collect(1)
        focus.take_seconds()

    idle_seconds, norms_seconds = medians(rounds, nobody, lambda: grad_norms(grads))
    print(
        f"nobody looks: {1e6 * idle_seconds:.2f} µs a sampled step, "
        f"{idle_seconds / norms_seconds:.2%} of the norms of {TENSORS} gradients"
    )


def look(size: int, rounds: int) -> None:
    """Print what a look at one parameter costs."""
    parameter = nn.Parameter(torch.randn(size // 100, 100))
    parameter.grad = torch.randn(size // 100, 100)
    step = 0

    def once() -> None:
        nonlocal step
        step += 1
        focus = focus_on(parameter)
        focus.watch([0], 60.0)
        focus.begin()
        focus.measure([0])
        focus.finish(step)
        focus.collect(step)

    norms = [parameter.grad, parameter.detach()]
    seconds, norms_seconds = medians(rounds, once, lambda: grad_norms(norms))
    pause = max(INTERVAL, seconds / (SHARE * BUDGET))
    print(
        f"{size:>11,} numbers: {1e3 * seconds:.2f} ms a look, {seconds / norms_seconds:.0f} times "
        f"the norms of both; every {pause:.2g} s at the most"
    )


def focus_on(*parameters: nn.Parameter) -> Focus:
    """Return a focus of a model of these parameters."""
    model = nn.ParameterList(parameters)
    return Focus(ParameterTable({"": model}), BUDGET, Guard())


def medians(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return each one's median seconds; they take turns, after a round that warms up."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for work, seconds in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            if turn:
                seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]


if __name__ == "__main__":
    main()
