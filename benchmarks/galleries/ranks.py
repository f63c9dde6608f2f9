"""The bugs of several processes: two ranks on gloo, and what gradgate and guardtower say there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guardtower
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from galleries.bugs import TwoHeads
from galleries.jobs import Answer, data, network
from gradgate import probe

STEPS = 100


def unused(broken: bool) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """A parameter is unused under DDP."""
    model = DistributedDataParallel(TwoHeads(forget=broken), find_unused_parameters=broken)
    return model, lambda _: None


def unwrapped(broken: bool) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """There is a process group and no DDP."""
    return (network() if broken else DistributedDataParallel(network())), lambda _: None


class Detour(nn.Module):
    """Calls the module inside a DDP wrapper, whose hooks then never run (pytorch#104336)."""

    def __init__(self, *, around: bool) -> None:
        super().__init__()
        self.wrapped = DistributedDataParallel(network())
        self.around = around

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, 8] to [rows, 4]."""
        return self.wrapped.module(x) if self.around else self.wrapped(x)  # type: ignore[no-any-return]


def hooks_lost(broken: bool) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """DDP's hooks are lost, since the wrapper is passed by."""
    return Detour(around=broken), lambda _: None


def local_clip(broken: bool) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """Each rank clips by a norm of its own (the replicated weights of deepspeed-1801)."""
    model = DistributedDataParallel(network())

    def clip(model: nn.Module) -> None:
        most = 0.01 * (1 + dist.get_rank()) if broken else 0.01
        nn.utils.clip_grad_norm_(model.parameters(), most)

    return model, clip


RANK_BUGS: dict[str, tuple[str, Callable[[bool], Any]]] = {
    "unused": ("unused parameter under DDP", unused),
    "unwrapped": ("process group without DDP: ranks drift", unwrapped),
    "hooks_lost": ("DDP's hooks lost", hooks_lost),
    "local_clip": ("clipped by a norm of each rank", local_clip),
}
"""In words, and how to build the model and what is done between backward and step."""


def ask_ranks(bug: str, broken: bool) -> dict[str, Answer]:
    """Ask the tools that know ranks, in two processes; rank 0 answers."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_rank, (folder, bug, broken), nprocs=2)
        found: dict[str, Answer] = torch.load(Path(folder) / "answers", weights_only=False)
    return found


def _rank(rank: int, folder: str, bug: str, broken: bool) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", store, rank=rank, world_size=2)
    answers = {"gradgate, live": _gradgate(bug, broken), "guardtower": _guardtower(bug, broken)}
    if rank == 0:
        torch.save(answers, Path(folder) / "answers")
    dist.barrier()
    dist.destroy_process_group()


def _gradgate(bug: str, broken: bool) -> Answer:
    model, optimizer, iterate = _job(bug, broken)
    with probe.attach(model, optimizer, server=False, every=1, expect=["*"]) as run:
        for _ in range(STEPS):
            iterate()
        told = [*run.alerts(), *run.notes()]
    places = {each.where for each in told if each.where is not None}
    texts = {each.cause or each.state: each.detail or each.name for each in told}
    return Answer(frozenset(texts), frozenset(places), texts)


def _guardtower(bug: str, broken: bool) -> Answer:
    model, optimizer, _ = _job(bug, broken)
    x, y = data()
    report = guardtower.audit(model, lambda: F.mse_loss(model(x), y), optimizer=optimizer)
    texts = {
        each.catalog_id or each.check: each.message
        for each in report.findings
        if each.severity >= guardtower.Severity.WARN
    }
    return Answer(frozenset(texts), frozenset(), texts)


def _job(bug: str, broken: bool) -> tuple[nn.Module, torch.optim.Optimizer, Callable[[], None]]:
    """Make the same weights on every rank, and batches of its own for each."""
    torch.manual_seed(0)
    model, between = RANK_BUGS[bug][1](broken)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    torch.manual_seed(1 + dist.get_rank())

    def iterate() -> None:
        x, y = data()
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        between(model)
        optimizer.step()

    return model, optimizer, iterate
