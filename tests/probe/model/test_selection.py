"""What a target names in a model that changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.model.selection import Selection, select
from gradgate.probe.model.table import ParameterTable
from tests.support import zoo
from tests.support.growing import (
    adam,
    by_name,
    plain,
    train,
)


def test_a_freeze_leaves_out_what_comes_later() -> None:
    """A parameter that joins a frozen module is frozen by a new command, not by the earlier."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        model.head.scale = nn.Parameter(torch.ones(3))
        optimizer.add_param_group({"params": [model.head.scale]})
        optimizer.zero_grad()
        (zoo.loss_of(model, 1) + model.head.scale.sum()).backward()
        optimizer.step()
        states = {name: info.state for name, info in by_name(run).items()}
        assert states["head.scale"] == "present"
        assert states["head.weight"] == "frozen"
        assert run.freeze("head") == ("head.weight", "head.bias", "head.scale")


def test_a_target_means_what_is_in_the_model() -> None:
    """A module's path and a glob leave out replaced parameters, whose new name is no target."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        model.head.bias = nn.Parameter(torch.zeros(3))
        train(model, optimizer, step=2)
        assert run.freeze("head") == ("head.weight", "head.bias")
        assert run.thaw("head.*") == ("head.weight", "head.bias")
        assert "head.bias (replaced at step 2)" in by_name(run)
        with pytest.raises(probe.TargetError, match="matches no parameter"):
            run.freeze("head.bias (replaced at step 2)")


class Blocks(nn.Module):
    """Three blocks, each with a norm inside."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(3)
        )


def chosen(target: str, **options: bool) -> tuple[list[str], Selection]:
    models = {"": Blocks()}
    table = ParameterTable(models)
    selection = select(target, table, models, **options)
    return [table.name(index) for index in selection.indexes], selection


def test_a_pattern_may_match_modules_and_then_means_all_below() -> None:
    """``blocks.[02]`` matches no parameter's name."""
    names, selection = chosen("blocks.[02]")
    assert selection.modules == ("blocks.0", "blocks.2")
    assert [name.rpartition(".")[0] for name in names] == [
        "blocks.0.0",
        "blocks.0.0",
        "blocks.0.1",
        "blocks.0.1",
        "blocks.2.0",
        "blocks.2.0",
        "blocks.2.1",
        "blocks.2.1",
    ]
    assert selection.norms == ("blocks.0.1", "blocks.2.1")


def test_only_the_outermost_of_the_modules_that_match_are_named() -> None:
    """What is inside of one that matches needs no mention of its own."""
    assert chosen("blocks*")[1].modules == ("blocks",)
    assert chosen("*.0")[1].modules == ("blocks.0", "blocks.1.0", "blocks.2.0")


def test_a_parameters_name_names_no_module() -> None:
    """Nor a norm that has another parameter of that module."""
    names, selection = chosen("blocks.0.0.weight")
    assert names == ["blocks.0.0.weight"]
    assert (selection.modules, selection.norms) == ((), ())


def test_without_a_graph_only_modules_can_run() -> None:
    """The sentence names a module that would do."""
    with pytest.raises(probe.CommandError, match=r"give a module's path such as 'blocks\.0\.0'"):
        chosen("blocks.0.0.weight", without_graph=True)


def test_a_module_without_parameters_is_nothing_to_freeze() -> None:
    """It is there, and there is nothing in it."""
    models = {"": nn.Sequential(nn.ReLU(), nn.Linear(1, 1))}
    with pytest.raises(probe.CommandError, match="names modules without parameters"):
        select("0", ParameterTable(models), models, without_graph=True)
