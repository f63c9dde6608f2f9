"""How long a question that the dashboard asks keeps the job from running.

The link's thread answers while the job trains, and what it does in one call of C holds the
interpreter until that is over. Here a second thread does the same, and this one notes the longest
time, of the processor's, in which it did not come to run. The interpreter's own switching is set
to half a millisecond, so that what is longer is one call.

Usage: python benchmarks/questions.py [--parameters N] [--objects N]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import statistics
import sys
import threading
import time
from collections.abc import Callable

import torch
from torch import nn

from gradgate import probe
from gradgate.probe.link.frames import encode_json
from gradgate.probe.torch_compat.dynamo import optimized_module
from gradgate.probe.torch_compat.heap import living

ROUNDS = 5


def main() -> None:
    """Ask each question a few times, and print the median of the longest times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, default=20_000)
    options.add_argument("--objects", type=int, default=300_000)
    given = options.parse_args()
    importlib.import_module("torch._dynamo")  # as in a job that compiles anything
    crowd: list[list[int]] = [[] for _ in range(given.objects)]
    blocks = [[nn.Linear(1, 1) for _ in range(100)] for _ in range(given.parameters // 200)]
    model = nn.ModuleList(nn.ModuleList(layers) for layers in blocks)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gc.disable()
    sys.setswitchinterval(0.0005)
    print(f"{len(list(model.parameters()))} parameters, {len(gc.get_objects())} objects")
    with probe.attach(model, optimizer, server=False) as run:
        for name, ask in questions(run).items():
            held = statistics.median(longest_hold(ask) for _ in range(ROUNDS))
            print(f"{name:40}{1000 * held:8.1f} ms")
    assert len(crowd) == given.objects


def questions(run: probe.Run) -> dict[str, Callable[[], object]]:
    """Return what may be asked, by name, with two things to compare it with."""
    compiled = optimized_module()
    assert compiled is not None
    names = [info.name for info in run.parameters()]
    table = {"parameters": [{"name": name, "shape": [1, 1], "numel": 1} for name in names]}

    def typo() -> None:
        with contextlib.suppress(probe.TargetError):
            run.preview("freeze", "3.nothing")

    return {
        "a loop in Python, which holds nothing": lambda: [
            each for each in range(10**6) if each < 0
        ],
        "a look at the heap": lambda: living(compiled),
        "preview of one name": lambda: run.preview("freeze", names[5]),
        "preview of everything": lambda: run.preview("freeze", "*"),
        "preview of a module without a graph": lambda: run.preview("freeze", "3", mode="no_grad"),
        "preview of a glob": lambda: run.preview("freeze", "*.7.weight"),
        "a target that matches nothing": typo,
        "the table of parameters as JSON": lambda: encode_json(table),
    }


def longest_hold(work: Callable[[], object]) -> float:
    """Return the seconds of the processor's time that the work took from here at once, at most."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run)
    longest, last = 0.0, time.process_time()
    thread.start()
    while not done.is_set():
        now = time.process_time()
        longest, last = max(longest, now - last), now
    longest = max(longest, time.process_time() - last)
    thread.join()
    return longest


if __name__ == "__main__":
    main()
