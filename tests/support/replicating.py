"""Ranks that train, or ought to train, one model.

Usage: python -m tests.support.replicating RANK SIZE FOLDER SCENARIO...
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.waiting import wait_for
from tests.support.world import play

MOST = 1000
"""Steps that a scenario makes, at most."""
THRESHOLDS = probe.Thresholds(replica_steps=4)


def classifier() -> nn.Sequential:
    """Layers, and statistics that each rank has of its own data."""
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def told(model: nn.Module, step: Callable[[int], object]) -> list[tuple[int, str, str]]:
    """Train until rank 0 has compared some steps, and return the alerts of this rank's run."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1, thresholds=THRESHOLDS) as run:
        for number in range(MOST):
            optimizer.zero_grad()
            step(number)
            optimizer.step()
            over = bool(run.alerts()) or job_of(run).progress.replicas.compared >= 5
            done = torch.tensor(int(over and dist.get_rank() == 0))
            dist.all_reduce(done)
            if done:
                break
        return [(each.since_step, str(each.cause), str(each.detail)) for each in run.alerts()]


def data(rank: int, number: int) -> Tensor:
    """A batch of this rank's own."""
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(100 * number + rank))


def without_ddp(rank: int, size: int) -> object:
    """All begin alike, and nothing averages their gradients."""
    model = classifier()
    return told(model, lambda n: model(data(rank, n)).square().mean().backward())


def seeds_of_their_own(rank: int, size: int) -> object:
    """Each begins with weights of its own, and goes on with them."""
    torch.manual_seed(rank)
    model = classifier()
    return told(model, lambda n: model(data(rank, n)).square().mean().backward())


def with_ddp(rank: int, size: int) -> object:
    """All is well; the statistics differ."""
    torch.manual_seed(rank)
    model = DistributedDataParallel(classifier(), broadcast_buffers=False)
    return told(model, lambda n: model(data(rank, n)).square().mean().backward())


def around_ddp(rank: int, size: int) -> object:
    """After some steps the script calls the model inside the wrapper, whose reducer is not told."""
    model = DistributedDataParallel(classifier())

    def step(number: int) -> None:
        with_reducer = number < 4
        output = model(data(rank, number)) if with_reducer else model.module(data(rank, number))
        if with_reducer:
            output.square().mean().backward()
            return
        weights = list(model.parameters())
        for weight, grad in zip(
            weights, torch.autograd.grad(output.square().mean(), weights), strict=True
        ):
            weight.grad = grad

    return told(model, step)


def reduced_by_hand(rank: int, size: int) -> object:
    """No wrapper, and gradients that the script averages itself."""
    model = classifier()

    def step(number: int) -> None:
        model(data(rank, number)).square().mean().backward()
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)

    return told(model, step)


def far_ahead(rank: int, size: int) -> object:
    """Nothing holds the ranks together: one has made twenty steps before the other begins."""
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1, thresholds=THRESHOLDS) as run:
        replicas = job_of(run).progress.replicas
        for turn in (1, 0):
            for number in range(20 if turn == rank else 0):
                optimizer.zero_grad()
                model(data(rank, number)).square().mean().backward()
                optimizer.step()
            dist.barrier()
        found = wait_for(
            lambda: replicas.boundary(3) or rank != 0 or list(replicas.find(last=False))
        )
        dist.barrier()
        told = list(replicas.find(last=False)) if found else []
        return [(each.since_step, str(each.cause), str(each.detail)) for each in told]


def other_models(rank: int, size: int) -> object:
    """Each has a model of its own, as the stages of a pipeline are; what is said in the log."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("gradgate").addHandler(handler)
    model = nn.Linear(4, 2 + rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1, thresholds=THRESHOLDS):
        for number in range(MOST):
            optimizer.zero_grad()
            model(data(rank, number)).square().mean().backward()
            optimizer.step()
            done = torch.tensor(len(said))
            dist.all_reduce(done)
            if done:
                break
    return said


class Halves(nn.Module):
    """A layer of which each rank has a part, then one that all have alike."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.scale = nn.Linear(4, 4), nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(self.part(x)).square().mean()  # type: ignore[no-any-return]


def in_parts(rank: int, size: int) -> object:
    """Tensor parallel: the parts are never alike, though their biases begin with zeros."""
    model = Halves()
    with torch.no_grad():
        model.part.weight.add_(rank)
        model.part.bias.zero_()

    def step(number: int) -> None:
        model(data(0, number)).backward()
        for parameter in model.scale.parameters():
            dist.all_reduce(parameter.grad)

    return told(model, step)


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        without_ddp,
        seeds_of_their_own,
        with_ddp,
        around_ddp,
        far_ahead,
        reduced_by_hand,
        in_parts,
        other_models,
    )
}

if __name__ == "__main__":
    play(SCENARIOS)
