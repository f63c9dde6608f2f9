"""What a step writes into the weights by hand: an update, or something else."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.diagnosis.weight_writes import moved_by_hand
from tests.support.tracing import Recorded

X = torch.ones(3, 2)
MASK = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


class Net(nn.Module):
    """A layer that is written to, and another."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.other = nn.Linear(2, 2)


def slope(model: Net) -> Tensor:
    (found,) = torch.autograd.grad(model.layer(X).exp().sum(), model.layer.weight)
    return found


def descends(model: Net) -> None:
    found = slope(model)
    with torch.no_grad():
        model.layer.weight.sub_(0.1 * found.clamp(-1, 1))


def descends_by_data(model: Net) -> None:
    model.layer.weight.data.mul_(0.9).add_(slope(model), alpha=-0.1)


def descends_by_grad(model: Net) -> None:
    model.layer(X).exp().sum().backward()
    gradient = model.layer.weight.grad
    assert gradient is not None
    model.layer.weight.data -= 0.1 * gradient


def is_replaced(model: Net) -> None:
    model.layer.weight.data = model.layer.weight.data - 0.1 * slope(model)


def follows_another(model: Net) -> None:
    with torch.no_grad():
        torch._foreach_lerp_([model.layer.weight], [model.other.weight], 0.1)


def goes_after_a_copy(model: Net) -> None:
    learner = copy.deepcopy(model.layer)
    learner(X).sum().backward()
    torch.optim.SGD(learner.parameters(), lr=0.1).step()
    model.layer.weight.data.add_(0.1 * (learner.weight.data - model.layer.weight.data))


def is_clipped(model: Net) -> None:
    model.layer.weight.data.clamp_(-0.01, 0.01)


def is_normalised(model: Net) -> None:
    with torch.no_grad():
        weight = model.layer.weight.clone()
        model.layer.weight.copy_(nn.functional.normalize(weight))


def is_pruned(model: Net) -> None:
    model.layer.weight.data.mul_(MASK)


def gets_noise(model: Net) -> None:
    with torch.no_grad():
        model.layer.weight.add_(torch.randn_like(model.layer.weight))


def is_copied_elsewhere(model: Net) -> None:
    with torch.no_grad():
        model.other.weight.copy_(model.layer.weight.data)


MOVES = (
    descends,
    descends_by_data,
    descends_by_grad,
    is_replaced,
    follows_another,
    goes_after_a_copy,
)
LEAVES = (is_clipped, is_normalised, is_pruned, gets_noise, is_copied_elsewhere)


@pytest.mark.parametrize(
    ("write", "expected"),
    [*((each, True) for each in MOVES), *((each, False) for each in LEAVES)],
)
def test_a_write_moves_a_weight_that_brings_something_new(
    write: Callable[[Net], None], expected: bool
) -> None:
    """A gradient, or other weights: not what came of the weight alone, nor noise."""
    model = Net()
    recorded = Recorded(lambda: write(model), model)
    found = moved_by_hand(id(model.layer.weight), recorded.tape, recorded.dataflow)
    assert found is expected


def test_a_weight_that_was_moved_by_hand_needs_no_gradient() -> None:
    """As in Reptile; one that was only clipped does."""

    def closure(write: Callable[[Net], None], model: Net) -> None:
        model.other(X).sum().backward()
        write(model)

    model = Net()
    model.layer.bias.requires_grad_(False)
    found = probe.explain(model, lambda: closure(goes_after_a_copy, model))
    assert "layer.weight" not in found
    found = probe.explain(model, lambda: closure(is_clipped, model))
    assert found["layer.weight"].cause == "module_not_called"
