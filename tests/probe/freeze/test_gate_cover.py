"""What gates keep untrained is covered like what is frozen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.anchor import Anchor
from gradgate.probe.freeze.gate_cover import GateCover
from gradgate.probe.freeze.grad_scaler import LossScale, ScalerZeros
from gradgate.probe.freeze.records import FreezeRecords
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.table import ParameterTable

X = torch.ones(3, 2)


class Job:
    """A model of two layers with an optimizer each, and what covers them."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        self.optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in self.model]
        self.table = ParameterTable({"": self.model})
        self.records = FreezeRecords(self.table)
        self.anchor = Anchor({"": self.model}, Guard())
        self.zeros = ScalerZeros(self.optimizers, self.table)
        self.cover = GateCover(self.records, self.table, self.anchor, self.zeros)

    def flip(self, *indexes: int, trainable: bool = False) -> None:
        for index in indexes:
            self.table.parameters[index].requires_grad_(trainable)

    def grads(self) -> list[Tensor | None]:
        return [parameter.grad for parameter in self.model.parameters()]


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
def scaler() -> GradScaler:
    """One that is in use."""
    return GradScaler("cpu", init_scale=8.0)


def test_a_backward_works_while_gates_keep_everything_untrained(job: Job) -> None:
    """And no longer once they may not."""
    job.cover.update({0, 1, 2, 3})
    job.flip(0, 1, 2, 3)
    job.model(X).sum().backward()
    job.cover.update(set())
    assert not job.model(X).requires_grad


def test_freezes_and_gates_are_covered_together(job: Job) -> None:
    """One half each."""
    job.records.add([0, 1], Freeze("test", "grad", 1, 1, False))
    job.cover.freezes_changed()
    job.cover.update({2, 3})
    job.flip(2, 3)
    assert [layer(X).requires_grad for layer in job.model] == [True, True]
    job.model(X).sum().backward()
    job.records.drop([0, 1])
    job.flip(0, 1)
    job.cover.update(set())
    assert not job.model(X).requires_grad


@pytest.mark.usefixtures("scaler")
def test_the_scaler_finds_zeros_where_all_is_gated(job: Job) -> None:
    """In one parameter of each optimizer that has nothing to do; they go with the gate."""
    job.flip(0, 1)
    job.cover.update_gated({0, 1})
    job.zeros.fill()
    assert [grad is None for grad in job.grads()] == [True, False, True, True]
    assert not job.table.parameters[1].grad.any()  # type: ignore[union-attr]
    job.cover.update_gated(set())
    assert all(grad is None for grad in job.grads())


@pytest.mark.usefixtures("scaler")
def test_an_optimizer_that_trains_anything_gets_no_zeros(job: Job) -> None:
    """The scaler finds the gradient of that."""
    job.flip(0)
    job.cover.update_gated({0})
    job.zeros.fill()
    assert all(grad is None for grad in job.grads())


@pytest.mark.usefixtures("scaler")
def test_what_is_gated_is_looked_at_anew_after_a_freeze(job: Job) -> None:
    """The same gates may leave another optimizer idle then."""
    job.flip(0, 1)
    job.cover.update_gated({0, 1})
    job.records.add([2, 3], Freeze("test", "grad", 1, 1, False))
    job.cover.freezes_changed()
    job.cover.update_gated({0, 1})
    job.zeros.fill()
    assert [grad is None for grad in job.grads()] == [True, False, True, False]


def test_without_a_scaler_nobody_gets_zeros(job: Job) -> None:
    """They cost memory."""
    job.flip(0, 1)
    job.cover.update_gated({0, 1})
    job.zeros.fill()
    assert all(grad is None for grad in job.grads())


def test_zeros_for_gated_gradients_last_until_the_step(job: Job) -> None:
    """Only where no gradient came at all, and not where one came since."""
    job.table.parameters[2].grad = torch.ones_like(job.table.parameters[2])
    job.zeros.fill_gated()
    assert [grad is None for grad in job.grads()] == [True, False, False, True]
    job.zeros.clear_gated()
    assert [grad is None for grad in job.grads()] == [True, True, False, True]
    job.zeros.fill_gated()
    job.table.parameters[1].grad = torch.ones(2)
    job.zeros.clear_gated()
    assert job.table.parameters[1].grad is not None
    job.table.parameters[1].grad = torch.zeros(2)
    job.zeros.clear_gated()
    assert job.table.parameters[1].grad is not None, "these zeros are the script's"


def test_the_factor_is_that_of_the_scaler_in_use(scaler: GradScaler) -> None:
    """It is looked for when it is asked for, and rarely where there is none."""
    scale = LossScale()
    assert scale.tensor() is None, "no loss was scaled"
    scaler.scale(torch.ones(1))
    scale.look()
    assert float(scale.tensor() or 0) == 8.0
    scaler.update(4.0)
    assert float(scale.tensor() or 0) == 4.0
