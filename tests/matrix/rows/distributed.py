"""Rows that train in several processes, each of which builds the job for itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleavedZeroBubble,
)
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW

from .. import data, models
from ..row import Job, Row

MICROBATCHES = 4


def _loss(model: nn.Module, number: int, *more: int) -> Tensor:
    """The loss on this rank's own data."""
    own = number * distributed.get_world_size() + distributed.get_rank()
    return nn.functional.cross_entropy(model(data.inputs(own), *more), data.labels(own))


def _parallel(
    make: Callable[[], nn.Module], *, parts: int = 1, unused: bool = False, frozen: bool = False
) -> Job:
    """``parts``: backwards to a step, reduced by the last; ``unused``: the heads take turns;
    ``frozen``: the encoder is, when it is wrapped."""
    torch.manual_seed(0)
    model = make()
    if frozen:
        model.encoder.requires_grad_(False)
    optimizer = AdamW(model.parameters(), lr=0.05)

    def wrap() -> DistributedDataParallel:
        return DistributedDataParallel(model, find_unused_parameters=unused)

    def step(number: int) -> None:
        parallel = job.model
        assert isinstance(parallel, DistributedDataParallel)
        optimizer.zero_grad()
        for part in range(parts):
            with nullcontext() if part == parts - 1 else parallel.no_sync():
                heads = (number % 2,) if unused else ()
                _loss(parallel, parts * number + part, *heads).backward()
        optimizer.step()

    def rewrap() -> None:
        job.model = wrap()

    job = Job(wrap(), [optimizer], step, rewrap=rewrap)
    return job


def _sharded() -> Job:
    torch.manual_seed(0)
    model = models.Twice()
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    for part in (model.stem, model.shared, model.head, model):
        fully_shard(part, mesh=mesh)
    optimizer = AdamW(model.parameters(), lr=0.05)

    def step(number: int) -> None:
        optimizer.zero_grad()
        _loss(model, number).backward()
        optimizer.step()

    return Job(model, [optimizer], step)


def _staged(schedule: Any, *, each: int = 1) -> Job:
    """A pipeline of which every process has ``each`` stages, with an optimizer for its own."""
    torch.manual_seed(0)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    count = size * each
    parts = [models.Stage(first=n == 0, last=n == count - 1) for n in range(count)]
    own = {n: parts[n] for n in range(rank, count, size)}
    stages = [PipelineStage(part, n, count, torch.device("cpu")) for n, part in own.items()]
    pipeline = schedule(
        stages if each > 1 else stages[0], MICROBATCHES, loss_fn=nn.functional.cross_entropy
    )
    optimizer = AdamW([p for part in own.values() for p in part.parameters()], lr=0.05)

    def step(number: int) -> None:
        optimizer.zero_grad()
        inputs = (data.inputs(number),) if 0 in own else ()
        pipeline.step(*inputs, target=data.labels(number) if count - 1 in own else None)
        optimizer.step()

    named = {f"stage{n}": part for n, part in own.items()}
    return Job(named if each > 1 else own[rank], [optimizer], step)


ROWS = (
    Row(
        "DistributedDataParallel",
        partial(_parallel, models.Plain),
        "module.encoder.0",
    ),
    Row(
        "DistributedDataParallel, find_unused_parameters",
        partial(_parallel, models.TwoHeads, unused=True),
        "module.heads.0",
    ),
    Row(
        "DistributedDataParallel, accumulation under no_sync",
        partial(_parallel, models.Plain, parts=3),
        "module.encoder",
    ),
    Row(
        "DistributedDataParallel, a part frozen when it was wrapped",
        partial(_parallel, models.Plain, frozen=True),
        "module.encoder",
        thaws_first=True,
    ),
    Row(
        "FSDP2 (fully_shard)",
        _sharded,
        "shared",
        sharded=True,
    ),
    Row("Pipeline, ScheduleGPipe", partial(_staged, ScheduleGPipe), "first", sharded=True),
    Row("Pipeline, Schedule1F1B", partial(_staged, Schedule1F1B), "first", sharded=True),
    Row(
        "Pipeline, every stage frozen as a whole",
        partial(_staged, Schedule1F1B),
        "*",
        sharded=True,
    ),
    Row(
        "Pipeline, two stages a process, ScheduleInterleavedZeroBubble",
        partial(_staged, ScheduleInterleavedZeroBubble, each=2),
        "*.first",
        sharded=True,
    ),
)
