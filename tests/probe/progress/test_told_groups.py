"""When and how the optimizers' groups are told of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from gradgate.probe.link.frames import encode_json
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.groups import Groups
from gradgate.probe.progress.told_groups import PAUSE, ToldGroups, neighbours
from gradgate.server.protocol.optimizers import OptimizerGroup


class Telling:
    """Two layers, and an account of what is told of their optimizers, on a clock of its own."""

    def __init__(self, *optimizers: Optimizer, model: nn.Module) -> None:
        self.now = 100.0
        self.sent: list[tuple[int, list[dict[str, Any]]]] = []
        groups = Groups(optimizers, ParameterTable({"": model}))
        self.told = ToldGroups(groups, lambda *each: self.sent.append(each), lambda: self.now)


@pytest.fixture
def model() -> nn.Sequential:
    """Two layers: four parameters."""
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def test_each_group_is_told_with_its_parameters_and_options(model: nn.Sequential) -> None:
    """Numbers of the CPU's tensors too; what says only how a step is computed is left out."""
    weights = [model[0].weight, model[1].weight, model[1].bias]
    body = AdamW(
        [{"params": weights, "lr": torch.tensor(0.25)}, {"params": []}], foreach=True, fused=None
    )
    other = SGD([model[0].bias], lr=0.5, momentum=0.75, nesterov=True)
    telling = Telling(body, other, model=model)
    telling.told.tell(7)
    ((step, (first, second)),) = telling.sent
    assert step == 7
    assert (first["optimizer"], first["number"], first["group"]) == ("AdamW", 0, 0)
    assert first["parameters"] == [[0, 0], [2, 3]]
    assert first["options"]["lr"] == 0.25
    assert first["options"]["betas"] == [0.9, 0.999]
    assert not {"params", "foreach", "fused", "capturable"} & set(first["options"])
    assert (second["optimizer"], second["number"], second["group"]) == ("SGD", 1, 0)
    assert second["parameters"] == [[1, 1]]
    assert second["options"]["momentum"] == 0.75
    assert second["options"]["nesterov"] is True


def test_only_a_change_is_told_and_not_at_once_after_another(model: nn.Sequential) -> None:
    """A schedule changes rates in each step; the last change is told all the same."""
    optimizer = SGD(model.parameters(), lr=1.0)
    telling = Telling(optimizer, model=model)
    telling.told.tell(1)
    telling.now += PAUSE
    telling.told.tell(2)
    assert len(telling.sent) == 1
    telling.now += PAUSE
    for step, rate in ((3, 0.5), (4, 0.25)):
        optimizer.param_groups[0]["lr"] = rate
        telling.told.tell(step)
    telling.now += PAUSE
    telling.told.tell(5)
    assert [(step, told[0]["options"]["lr"]) for step, told in telling.sent] == [
        (1, 1.0),
        (3, 0.5),
        (5, 0.25),
    ]


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), object(), [1, "a"], None])
def test_what_is_no_number_is_not_told(model: nn.Sequential, rate: object) -> None:
    """A message with it would not be JSON."""
    optimizer = SGD(model.parameters(), lr=1.0)
    optimizer.param_groups[0]["lr"] = rate
    telling = Telling(optimizer, model=model)
    telling.told.tell(1)
    ((_, (group,)),) = telling.sent
    assert "lr" not in group["options"]
    assert group["options"]["momentum"] == 0.0


def test_neighbours_are_told_by_their_ends() -> None:
    """Whatever their order, and of none there are none."""
    assert neighbours(np.array([5, 1, 2, 3, 9])) == [[1, 3], [5, 5], [9, 9]]
    assert neighbours(np.array([], np.int64)) == []


def test_a_server_takes_whatever_a_script_has_put_into_a_group(model: nn.Sequential) -> None:
    """Names and texts are cut, and what is too long a list is left out."""
    optimizer = SGD(model.parameters(), lr=0.5)
    odd = {"x" * 600: 1.0, "": 1.0, "a\0b": 1.0, 7: 2.0, "\0": 1.0}
    odd |= {"text": "no\0 end" * 9000, "many": [1.0] * 17, "few": [1.0] * 16, "nan": math.nan}
    optimizer.param_groups[0] |= odd | {f"option {number}": 1.0 for number in range(200)}  # type: ignore[operator]
    telling = Telling(optimizer, model=model)
    telling.told.tell(1)
    ((_, (group,)),) = telling.sent
    options = OptimizerGroup.model_validate_json(encode_json(group)).options
    assert (options["lr"], options["x" * 512], options["ab"], options["7"]) == (0.5, 1, 1, 2)
    assert options["few"] == [1.0] * 16
    assert str(options["text"]).startswith("no endno end")
    assert not {"", "many", "nan"} & set(options)
