"""Freezes and gates are covered together."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.anchor import Anchor
from gradgate.probe.freeze.autograd_calls import AutogradCalls
from gradgate.probe.freeze.cover import Cover
from gradgate.probe.freeze.frozen_statistics import FrozenStatistics
from gradgate.probe.freeze.grad_scaler import ScalerZeros
from gradgate.probe.freeze.no_grad_modules import NoGradModules
from gradgate.probe.freeze.recomputations import Recomputations
from gradgate.probe.freeze.records import FreezeRecords
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.torch_compat.wrappers import Wrappers

X = torch.ones(3, 2)


class Job:
    """A model of two layers, and what covers it."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        models, guard = {"": self.model}, Guard()
        self.table = ParameterTable(models)
        self.records = FreezeRecords(self.table)
        self.anchor = Anchor(models, Wrappers(models), guard)
        self.calls = AutogradCalls(self.table, guard, lambda: None)
        self.zeros = ScalerZeros(self.table, guard)
        no_grad = NoGradModules(self.anchor.is_all_of, guard)
        again = Recomputations(
            models, self.table, self.records, FrozenStatistics(guard), no_grad, guard
        )
        self.cover = Cover(self.records, self.table, self.anchor, self.calls, self.zeros, again)

    def ask(self) -> None:
        """Ask for the gradient of everything."""
        torch.autograd.grad(self.model(X).sum(), list(self.model.parameters()))


@pytest.fixture
def job() -> Job:
    return Job()


def test_calls_are_answered_until_the_step_after_the_last_gate(job: Job) -> None:
    """A graph that was made before it went is used up by then."""
    job.model.requires_grad_(False)
    job.cover.update_gates({0, 1, 2, 3}, gated=True)
    job.ask()
    job.cover.update_gates(set(), gated=False)
    job.ask()
    job.calls.boundary()
    with pytest.raises(RuntimeError, match="does not require grad"):
        job.ask()


def test_a_gate_that_keeps_no_parameter_untrained_is_covered(job: Job) -> None:
    """It cuts the graph in the middle."""
    job.cover.update_gates(set(), gated=True)
    torch.autograd.grad(job.model(X).detach().sum(), job.model[0].weight)
    job.cover.remove()
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(job.model(X).detach().sum(), job.model[0].weight)


def test_freezes_and_gates_are_covered_together(job: Job) -> None:
    """One half each; either may go first."""
    job.records.add([0, 1], Freeze("test", "grad", 1, 1, False))
    job.cover.update()
    job.cover.update_gates({2, 3}, gated=True)
    job.model.requires_grad_(False)
    job.cover.update_gates(set(), gated=False)
    job.calls.boundary()
    job.ask()
    job.records.drop([0, 1])
    job.cover.update()
    job.calls.boundary()
    job.model.requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"):
        job.ask()
