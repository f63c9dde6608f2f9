"""What a step really did to a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.model.movement import Movement
from gradgate.probe.model.sample import UPDATE_RATIO, WEIGHT_NORM
from gradgate.probe.session.run import job_of


@contextmanager
def watched(model: Any, optimizer: Any, **options: Any) -> Iterator[list[Movement]]:
    """Attach, and gather what is seen of movement; the probe must not fault."""
    seen: list[Movement] = []
    with probe.attach(model, optimizer, server=False, every=1, **options) as run:
        job = job_of(run)
        job.delivery.movement_seen.add(seen.append)
        yield seen
        run.flush()
        assert job.guard.faults == 0


def train(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> list[Tensor]:
    """Make one step; return the weights as they were before it."""
    torch.manual_seed(step)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    width = next(model.parameters()).shape[-1]
    model(torch.randn(8, width, dtype=next(model.parameters()).dtype)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return before


def ratios(model: nn.Module, before: list[Tensor]) -> list[float]:
    """The ratio of each weight's change to the weight, in float64."""
    return [
        float((now.detach().double() - then.double()).norm() / now.detach().double().norm())
        for now, then in zip(model.parameters(), before, strict=True)
    ]


OPTIMIZERS: list[Callable[[Any], torch.optim.Optimizer]] = [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    lambda p: torch.optim.Adam(p, lr=0.01, foreach=False),
]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_the_ratio_of_a_step_is_that_of_float64(
    make: Callable[[Any], torch.optim.Optimizer],
) -> None:
    """Whichever kernels the optimizer has; the norm is that of the weight after the step."""
    model = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = make(model.parameters())
    with watched(model, optimizer) as seen:
        for step in (1, 2):
            wanted = ratios(model, train(model, optimizer, step))
            assert seen[-1].step == step
            assert seen[-1].update_ratio == pytest.approx(wanted, rel=1e-5)
            norms = [float(p.detach().double().norm()) for p in model.parameters()]
            assert seen[-1].weight_norm == pytest.approx(norms, rel=1e-6)
            assert seen[-1].stepped.all()
    assert not seen[0].known.any()
    assert seen[1].known.all()
    assert seen[1].moved.all()
    assert (seen[1].since == 1).all()


def test_a_sample_has_the_figures_of_its_look() -> None:
    """By their codes, so that they travel with it."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, 1)
        sample = job_of(run).measurement.latest.sample
        assert sample is not None
        assert sample.values[UPDATE_RATIO].min() > 0
        assert sample.values[WEIGHT_NORM][0] == pytest.approx(float(model.weight.detach().norm()))
