"""Gradients that are as at the sample before are found whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.measure.known_gradients import KnownGradients
from gradgate.probe.measure.stacks import LEAST_STACK
from gradgate.probe.measure.write_tracker import MARK


def parameters(count: int = 4) -> list[nn.Parameter]:
    made = [nn.Parameter(torch.zeros(2)) for _ in range(count)]
    for parameter in made:
        parameter.grad = torch.ones(2)
    return made


def known(indexes: list[int]) -> KnownGradients:
    return KnownGradients(indexes, [torch.Size([2])] * len(indexes))


def test_new_gradients_of_trained_parameters_are_found_in_order() -> None:
    """Those of the indexes that were asked for, and no others."""
    mine = parameters()
    found = known([3, 1]).find(mine)
    assert found is not None
    assert [id(grad) for grad in found] == [id(mine[3].grad), id(mine[1].grad)]


def _missing(parameter: nn.Parameter) -> None:
    parameter.grad = None


def _frozen(parameter: nn.Parameter) -> None:
    parameter.requires_grad = False


def _old(parameter: nn.Parameter) -> None:
    setattr(parameter.grad, MARK, 0)


def _of_another_class(parameter: nn.Parameter) -> None:
    parameter.grad = nn.Parameter(torch.ones(2))


@pytest.mark.parametrize("change", [_missing, _frozen, _old, _of_another_class])
def test_one_that_is_otherwise_has_each_looked_at(change: Callable[[nn.Parameter], None]) -> None:
    """It is missing, old, of a frozen parameter, or of another class: nothing is known then."""
    mine = parameters()
    change(mine[2])
    assert known([0, 1, 2]).find(mine) is None


@pytest.mark.parametrize("indexes", [[1, 2], [0, 3], [2, 1]])
def test_states_are_set_of_these_only(indexes: list[int]) -> None:
    """Whether they stand side by side or not."""
    states = bytearray(4)
    known(indexes).set_states(states, 7)
    assert [index for index in range(4) if states[index] == 7] == sorted(indexes)


class Rows(nn.Module):
    """So many vectors that they are stacked."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.ParameterList(
            nn.Parameter(torch.full((3,), 1.0)) for _ in range(LEAST_STACK)
        )

    def forward(self) -> Tensor:
        """Sum the squares, so that a gradient is twice the weight."""
        return torch.stack([row.square().sum() for row in self.rows]).sum()


def test_a_gradient_of_another_shape_than_before_is_measured_all_the_same() -> None:
    """A weight that was replaced by a longer one in place has no fault and no wrong norm."""
    model = Rows()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(6):
            optimizer.zero_grad()
            if step == 4:
                model.rows[3].data = torch.full((12,), 1.0)
            model().backward()
            optimizer.step()
        norms = {info.name: info.grad_norm for info in run.parameters()}
    longer = norms.pop("rows.3")
    assert longer == pytest.approx(2 * 12**0.5)
    assert list(norms.values()) == pytest.approx([2 * 3**0.5] * (LEAST_STACK - 1))
