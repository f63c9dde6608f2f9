"""What the probe takes of a step in the training thread, by its own clock: far less noise.

    python benchmarks/own_share.py [--case gpt|gpt-large|gpt-124m|resnet|small|compiled]
        [--steps N] [--threads N] [--by-default]

A watched model trains at every=1, or by default, and streams to a real server. Of each step the
time in the probe's hooks (on forwards, in the backward, around the optimizer's step and
``zero_grad``) and in ``log`` is compared with that of the step itself, so that a machine's changing
speed hits both alike. Beside it stands what the run itself tells of its cost at the end, which is
of the latest seconds.
``probe_cost.py`` measures whole steps, watched and not: also what the caches, the thread that sends
and the server cost, within the machine's noise.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo
from cases import CASES, FOR_A_CPU, Case
from dashboard import dashboard
from probe_cost import Loop
from torch.optim import AdamW
from watchers import Default, Probe

from gradgate.probe.base.guard import GuardedHook
from gradgate.probe.session.hook_runner import HookRunner
from gradgate.probe.session.run import Run, job_of
from gradgate.probe.torch_compat.dynamo import compile_with_callers_only

ENTRIES = (
    (GuardedHook, "__call__"),
    (HookRunner, "run"),
    (HookRunner, "go_on_unless"),
    (Run, "log"),
)
"""All by which a step enters the probe."""
SETTLES = 64
"""Steps, at least, after which a run has done what it does at its start only."""


def main() -> None:
    """Measure every case and print a line for each."""
    options = parse()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.steps} steps each, ms")
    names = f"{'a step':>9}{'hooks':>8}  {'middle half':16}{'share':>7}{'told':>7}"
    print(f"{'':28}{names}{'at the start':>14}")
    with dashboard() as server:
        for name in options.case or FOR_A_CPU:
            torch.manual_seed(0)
            case = CASES[name]()
            watcher = Default(server.url) if options.by_default else Probe(server.url)
            steps, settled, told = measure(case, watcher, options.steps)
            report(case, steps[1:settled], steps[settled:], told)


def measure(case: Case, watcher: Probe, count: int) -> tuple[list[tuple[float, float]], int, float]:
    """Return of each step its seconds, and those of them in which the probe's hooks ran.

    Then, how many there were before the run had settled, ``count`` more are made, and the share
    that the run itself tells.
    """
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    with Stopwatch().around(ENTRIES) as hooks:
        watcher.attach(case.model, optimizer)
        loop, settled = Loop(case, optimizer, watcher), 0
        steps: list[tuple[float, float]] = []
        began = time.perf_counter()
        while not settled or len(steps) < settled + count:
            hooks.seconds = 0.0
            start = time.perf_counter()
            loop.step()
            steps.append((time.perf_counter() - start, hooks.seconds))
            if not settled and len(steps) >= SETTLES and start - began > watcher.warm_up:
                settled = len(steps)
        told = job_of(watcher.run).measurement.schedule.meter.cost()
        watcher.detach()
    return steps, settled, told


class Stopwatch:
    """Adds up the time of some functions in the thread that made it; of nested calls once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._thread = threading.get_ident()
        self._is_inside = False

    @contextmanager
    def around(self, entries: Iterable[tuple[type, str]]) -> Iterator[Stopwatch]:
        """Time methods of these classes inside."""
        own = [(owner, name, getattr(owner, name)) for owner, name in entries]
        for owner, name, method in own:
            setattr(owner, name, self._timed(method))
        try:
            yield self
        finally:
            for owner, name, method in own:
                setattr(owner, name, method)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if self._is_inside or threading.get_ident() != self._thread:
                return method(*args, **named)
            self._is_inside, start = True, time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                self.seconds += time.perf_counter() - start
                self._is_inside = False

        # The probe has Dynamo leave its hooks alone, by their code. Of what takes their place
        # Dynamo would make something, and the hook would see no forward of a compiled model.
        for function in (method, call):
            compile_with_callers_only(function)
        return call


def report(
    case: Case,
    early: Sequence[tuple[float, float]],
    later: Sequence[tuple[float, float]],
    told: float,
) -> None:
    """Print a line for a case."""
    low, hooks, high = (1000 * each for each in statistics.quantiles([b for _, b in later], n=4))
    step = 1000 * statistics.median(a for a, _ in later)
    figures = f"{step:9.1f}{hooks:8.2f}  {f'{low:.2f}…{high:.2f}':16}{share(later):7.1%}{told:7.1%}"
    print(f"{case.name:28}{figures}{share(early):14.1%}")


def share(steps: Sequence[tuple[float, float]]) -> float:
    """Return the hooks' part of all these steps."""
    return sum(hooks for _, hooks in steps) / sum(seconds for seconds, _ in steps)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="What the probe takes of a step.")
    parser.add_argument(
        "--case",
        action="append",
        choices=sorted(name for name in CASES if name != "ddp"),
        help="default: all for a CPU",
    )
    parser.add_argument(
        "--by-default", action="store_true", help="sample as often as it does by itself"
    )
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    return parser.parse_args()


if __name__ == "__main__":
    main()
