"""Runs of many samples for benchmarks of the store: made up, and recorded as the server does."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.recording import Received, record
from gradgate.server.store.runs import open_run

CHUNK = 1024
SPIKE = 1e6
MERGE_EVERY = 50
"""Samples after which is merged what can be, as the server's thread does meanwhile."""


def made_up(samples: int, parameters: int, spikes: tuple[int, ...] = ()) -> Iterator[Sample]:
    """Yield samples as those of a training job are.

    Norms are spread over decades, wander slowly, and vary by a quarter from step to step; one
    parameter of twenty is frozen, and some gradients are not finite now and then. At the steps of
    `spikes` the norm of the first parameter is `SPIKE`.
    """
    draw = np.random.default_rng(parameters)
    scale = draw.normal(-4, 2, parameters)
    frozen = np.arange(parameters) % 20 == 19
    drift = np.zeros(parameters)
    for start in range(0, samples, CHUNK):
        count = min(CHUNK, samples - start)
        wander = drift + np.cumsum(draw.normal(0, 0.002, (count, parameters)), axis=0)
        drift = wander[-1]
        logs = scale + wander + draw.normal(0, 0.25, (count, parameters))
        norms = np.exp(logs).astype(np.float32)
        states = np.full((count, parameters), State.PRESENT, np.uint8)
        bad = draw.random((count, parameters)) < 1e-6
        norms[bad], states[bad] = np.inf, State.NONFINITE
        norms[:, frozen], states[:, frozen] = np.nan, State.FROZEN
        yield from _samples(start, norms, states, spikes)


def _samples(
    start: int,
    norms: NDArray[np.float32],
    states: NDArray[np.uint8],
    spikes: tuple[int, ...],
) -> Iterator[Sample]:
    for place, row in enumerate(norms):
        step = start + place + 1
        if step in spikes:
            row[0] = SPIKE
        at = 1.7e9 + step * 0.05 + (step * 7919 % 1000) * 1e-6
        yield Sample(step, step, at, False, states[place], {int(Statistic.GRAD_NORM): row})


def record_run(
    store: Store,
    samples: int,
    parameters: int,
    commit: int,
    merged: bool = True,
    spikes: tuple[int, ...] = (),
) -> str:
    """Record a made-up run in commits of so many samples, and return its id."""
    run = secrets.token_hex(8)
    with store.write() as connection:
        open_run(connection, greeting(run, parameters), time.time())
    waiting: list[Received] = []
    unmerged = 0
    for sample in made_up(samples, parameters, spikes):
        waiting.append(Received(sample, sample.time))
        if len(waiting) == commit or sample.step == samples:
            with store.write() as connection:
                record(connection, run, waiting)
            waiting = []
            unmerged += commit
            if merged and (unmerged >= MERGE_EVERY or sample.step == samples):
                merge_run(store, run)
                unmerged = 0
    return run


def merge_run(store: Store, run: str) -> None:
    """Merge all that can be merged of a run."""
    while True:
        with store.read() as connection:
            merge = next_merge(connection, run)
        if merge is None:
            return
        with store.write() as connection:
            merge.apply(connection)


def greeting(run: str, parameters: int) -> Hello:
    """Return the first frame of a job with so many parameters, eight in a module."""
    table = [
        {
            "names": [f"layers.{place // 8}.p{place % 8}"],
            "module": f"layers.{place // 8}",
            "shape": [64, 64],
            "numel": 4096,
            "dtype": "float32",
            "device": "cpu",
            "in_optimizer": True,
            "requires_grad": True,
        }
        for place in range(parameters)
    ]
    return Hello.model_validate(
        {
            "type": "hello",
            "protocol": 1,
            "run": run,
            "name": f"made up {run}",
            "started": 1.7e9,
            "host": "none",
            "pid": 1,
            "probe_version": "0",
            "torch_version": "0",
            "figures": "Made up.",
            "parameters": table,
            "frozen": [],
            "step": 0,
        }
    )
