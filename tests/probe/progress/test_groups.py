"""The groups of parameters that an optimizer treats alike."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD

from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.groups import Groups


def test_each_parameter_is_in_its_group() -> None:
    """By the table's order; biases are no weights; what nobody holds is in none."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1))
    first, second, _ = model
    optimizer = SGD([{"params": second.parameters()}, {"params": first.parameters(), "lr": 1.0}])
    groups = Groups([optimizer], ParameterTable({"": model}))
    assert [(group.key, list(group.indexes), list(group.weights)) for group in groups.all()] == [
        ((0, 0), [2, 3], [2]),
        ((0, 1), [0, 1], [0]),
    ]
    found = groups.of(0)
    assert found is not None
    assert found.options["lr"] == 1.0
    assert groups.of(4) is None
    assert groups.held.tolist() == [True] * 4 + [False] * 2


def test_a_group_that_is_added_is_followed() -> None:
    """Also where no optimizer had held anything."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = SGD(model[0].parameters())
    groups = Groups([optimizer], ParameterTable({"": model}))
    assert groups.of(2) is None
    optimizer.add_param_group({"params": list(model[1].parameters())})
    found = groups.of(2)
    assert found is not None
    assert found.key == (0, 1)


def test_without_an_optimizer_nothing_is_held() -> None:
    """There is one entry a parameter all the same."""
    groups = Groups([], ParameterTable({"": nn.Linear(2, 2)}))
    assert groups.all() == []
    assert groups.held.tolist() == [False, False]
