"""What commands froze, and what the script had before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate.probe.freeze.records import FreezeRecords
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.table import ParameterTable

BY_TEST = Freeze("test", "grad", 3, 1, False)
NO_GRAD = Freeze("test", "no_grad", 3, 2, False)


@pytest.fixture
def model() -> nn.Sequential:
    """Two layers, in which everything has a gradient, and the second bias is the script's own."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[1].bias.requires_grad_(False)
    return model


@pytest.fixture
def records(model: nn.Sequential) -> FreezeRecords:
    """Those of the model: none."""
    return FreezeRecords(ParameterTable({"": model}))


def test_a_frozen_parameter_has_no_gradient(model: nn.Sequential, records: FreezeRecords) -> None:
    """With one of zeros an optimizer would move it; the others keep theirs."""
    assert records.add([0, 3], BY_TEST) == [model[0].weight]
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, False]
    assert [p.grad is None for p in model.parameters()] == [True, False, False, True]
    assert records.freezes == {0: BY_TEST, 3: BY_TEST}
    assert records.touched


def test_a_thaw_makes_trainable_and_tells_what_was_not(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Also what the script had frozen."""
    records.add([0], BY_TEST)
    assert records.drop([0, 1, 3]) == [model[0].weight, model[1].bias]
    assert all(p.requires_grad for p in model.parameters())
    assert records.freezes == {}


def test_the_end_gives_back_what_was_there_first(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Whatever was commanded in between; what was flipped is told, once."""
    records.add([0, 3], BY_TEST)
    records.drop([3])
    records.add([0], NO_GRAD)
    assert records.restore() == [model[0].weight, model[1].bias]
    assert [p.requires_grad for p in model.parameters()] == [True, True, True, False]
    assert records.restore() == []
    assert not records.touched


def test_what_the_script_set_since_is_left_alone(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Its word is the later one."""
    records.add([0], BY_TEST)
    model[0].weight.requires_grad_(True)
    assert records.undone() == [0]
    records.forget([0])
    assert records.undone() == []
    model[0].weight.requires_grad_(False)
    assert records.restore() == []
    assert not model[0].weight.requires_grad


def test_gradients_given_to_frozen_parameters_are_dropped(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Of those that are asked about, frozen by command, and still so."""
    records.add([0, 1], BY_TEST)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[0].bias.requires_grad_(True)
    records.clear_gradients([0, 1, 3])
    assert [p.grad is None for p in model.parameters()] == [True, False, False, False]


def test_a_module_is_whole_while_all_of_it_is_frozen_without_a_graph(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Mode grad is not enough, and neither is nothing."""
    records.add([0, 1], NO_GRAD)
    assert records.is_whole(model[0])
    assert not records.is_whole(model)
    assert not records.is_whole(None)
    assert not records.is_whole(nn.ReLU())
    records.fall_back_to_grad([1, 2])
    assert records.freezes[1].mode == "grad"
    assert records.freezes[0].mode == "no_grad"
    assert not records.is_whole(model[0])


def test_a_message_has_one_item_a_command(records: FreezeRecords) -> None:
    """With its parameters in order."""
    records.add([2, 0], BY_TEST)
    records.add([1], NO_GRAD)
    items = [(item["mode"], item["parameters"]) for item in records.as_message()]
    assert items == [("grad", [0, 2]), ("no_grad", [1])]


def test_what_the_script_has_undone_is_frozen_again(
    model: nn.Sequential, records: FreezeRecords
) -> None:
    """Without the gradient that it was given; what it wants is what the end gives back."""
    records.add([0, 1], BY_TEST)
    for parameter in model[0].parameters():
        parameter.requires_grad_(True)
        parameter.grad = torch.ones_like(parameter)
    assert records.clear_gradients([0, 2]) == [0]
    assert model[0].weight.grad is not None
    records.set_own_flag(1, False)
    records.freeze_again(records.undone())
    assert records.undone() == []
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]
    assert records.restore() == [model[0].weight]
    assert not model[0].bias.requires_grad


def test_a_snapshot_puts_all_back(model: nn.Sequential, records: FreezeRecords) -> None:
    """Flags, gradients and records."""
    records.add([0], BY_TEST)
    gradient = model[1].weight.grad
    restore = records.snapshot([0, 2])
    records.drop([0])
    records.add([2], NO_GRAD)
    restore()
    assert records.freezes == {0: BY_TEST}
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, False]
    assert model[1].weight.grad is gradient
    assert records.restore() == [model[0].weight]
