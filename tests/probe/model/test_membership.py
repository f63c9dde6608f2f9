"""Which parameter is in which optimizer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.model.changes import ModelChanges
from gradgate.probe.model.membership import Membership
from gradgate.probe.model.table import ParameterTable, TableRow
from tests.support import zoo
from tests.support.growing import (
    adam,
    assert_measured,
    by_name,
    plain,
    train,
)


def test_a_parameter_that_is_added_between_two_optimizers_steps() -> None:
    """A sample that one optimizer began takes in what comes before the other's step."""
    model = plain()
    first = torch.optim.SGD(model.encoder.parameters(), lr=0.1)
    second = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with probe.attach(model, [first, second], server=False, every=1) as run:
        zoo.loss_of(model, 1).backward()
        first.step()
        model.scale = nn.Parameter(torch.ones(3))
        model.scale.sum().backward()
        second.add_param_group({"params": [model.scale]})
        second.step()
        assert by_name(run)["scale"].grad_norm == pytest.approx(math.sqrt(3))


def test_a_new_group_makes_the_model_be_walked() -> None:
    """A parameter that no hook saw is found at once when an optimizer gets it."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 4):
            train(model, optimizer, step=step)
        model._modules["head"] = nn.Linear(16, 3)
        optimizer.add_param_group({"params": model.head.parameters()})
        assert_measured(run, train(model, optimizer, step=4))


def test_optimizers_of_single_parameters_are_not_all_looked_at_in_each_step() -> None:
    """A step of one of them asks that one only for its groups; all would be quadratic."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(10)))
    asked: list[int] = []

    class Counting(torch.optim.SGD):
        def __getattribute__(self, name: str) -> Any:
            if name == "param_groups":
                asked.append(id(self))
            return super().__getattribute__(name)

    optimizers = [Counting([parameter], lr=0.1) for parameter in model.parameters()]
    model(torch.ones(1, 2)).sum().backward()
    with probe.attach(model, optimizers, server=False):
        optimizers[0].step()
        asked.clear()
        optimizers[1].step()
        assert set(asked) == {id(optimizers[1])}


def followed(
    model: nn.Module, *optimizers: torch.optim.Optimizer
) -> tuple[Membership, ParameterTable, list[int]]:
    """The membership of a model, its table, and how many rows it had when each change was told."""
    table = ParameterTable({"": model})
    told: list[int] = []

    def changed(rows: list[TableRow]) -> None:
        told.append(len(members.rows))
        assert len(rows) == len(table)

    changes = ModelChanges({"": model}, table, step=lambda: 1)
    members = Membership(table, optimizers, changes, changed)
    return members, table, told


def test_a_group_that_was_added_is_seen_when_its_optimizer_steps() -> None:
    """No walk and no sample needs to come before."""
    model = plain()
    optimizer = torch.optim.SGD(model.encoder.parameters(), lr=0.1)
    members, table, _ = followed(model, optimizer)
    assert len(members.held_by(0)) == len(list(model.encoder.parameters()))
    optimizer.add_param_group({"params": [model.head.weight]})
    assert table.index_of_name("head.weight") in members.held_by(0)
    assert members.in_optimizer[table.index_of_name("head.weight")]


def test_what_left_the_model_is_in_no_optimizer_and_not_loose() -> None:
    """A removed parameter has no gradient that anybody should look for."""
    model = plain()
    members, table, _ = followed(model)
    assert len(members.loose) == len(table)
    left = table.index_of_name("head.bias")
    del model.head.bias
    members.refresh(walk=True)
    assert left not in members.loose
    assert members.rows[left].removed


def test_a_change_is_told_before_it_is_shown() -> None:
    """A connection that begins with what is shown must not be ahead of what waits to be sent."""
    model = plain()
    members, table, told = followed(model)
    before = len(table)
    model.scale = nn.Parameter(torch.ones(3))
    members.catch_up()
    assert told == [before]
    assert len(members.rows) == before + 1
