"""What a job pays for distributions: while nobody looks, and for a look at parameters.

Two things are timed, in turn. First, what the sampled steps of a job do when nobody looks, against
the sampling of 400 small gradients itself, as medians. Second, looks at the gradients and weights
of some parameters, against their L2 norms: the median and the longest, how many numbers one
counted at last, and how often a job with the default budget then looks.

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
from gradgate.probe.measure.pace import Pace
from gradgate.probe.measure.write_tracker import WriteTracker
from gradgate.probe.model.table import ParameterTable

LOOKS = ((1, 1_000), (1, 100_000), (1, 10_000_000), (16, 8_000_000))
"""How many parameters are looked at, and the numbers of each."""
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
    for parameters, size in LOOKS:
        look(parameters, size, options.rounds)


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

    nobodys, norms = times(rounds, nobody, lambda: grad_norms(grads))
    idle_seconds, norms_seconds = statistics.median(nobodys), statistics.median(norms)
    print(
        f"nobody looks: {1e6 * idle_seconds:.2f} µs a sampled step, "
        f"{idle_seconds / norms_seconds:.2%} of the norms of {TENSORS} gradients"
    )


def look(count: int, size: int, rounds: int) -> None:
    """Print what looks at so many parameters cost."""
    parameters = [nn.Parameter(torch.randn(size // 100, 100)) for _ in range(count)]
    for parameter in parameters:
        parameter.grad = torch.randn(size // 100, 100)
    step, numbers = 0, 0
    # What a look has cost is paid off before the next one.
    focus = focus_on(*parameters, clock=lambda: 1e6 * step)

    def once() -> None:
        nonlocal step, numbers
        step += 1
        focus.watch(range(count), 1.0)
        focus.begin()
        focus.measure(range(count))
        focus.finish(step)
        seen = focus.collect(step)
        found = [each.gradient for each in (seen.parameters if seen else ())]
        numbers = sum(gradient.numel for gradient in found if gradient is not None)

    both = [tensor for each in parameters for tensor in (each.grad, each.detach())]
    looks, norms = times(
        rounds, once, lambda: grad_norms([each for each in both if each is not None])
    )
    seconds = statistics.median(looks)
    pause = max(INTERVAL, seconds / (SHARE * BUDGET))
    print(
        f"{count:>3} of {size:>11,} numbers: {1e3 * seconds:.2f} ms a look (longest "
        f"{1e3 * max(looks):.1f}), {numbers:,} numbers of gradients at last, "
        f"{seconds / statistics.median(norms):.1f} times all norms; every {pause:.2g} s at the most"
    )


def focus_on(*parameters: nn.Parameter, clock: Callable[[], float] = time.monotonic) -> Focus:
    """Return a focus of a model of these parameters."""
    model = nn.ParameterList(parameters)
    table = ParameterTable({"": model})
    writes = WriteTracker(table.parameters)
    return Focus(table, writes, Pace(None, BUDGET), Guard(), clock)


def times(rounds: int, *works: Callable[[], object]) -> list[list[float]]:
    """Return each one's seconds; they take turns, after a round that warms up."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for work, seconds in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            if turn:
                seconds.append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    main()
