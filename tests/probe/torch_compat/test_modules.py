"""What modules keep to themselves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from gradgate.probe.torch_compat import modules
from tests.support.lacking import door_without

TABLES = [f"torch.nn.Module.{name}" for name in ("_parameters", "_modules", "_forward_pre_hooks")]


def test_what_a_module_itself_holds_is_told_by_identity() -> None:
    """Neither an equal one, nor one below, nor one of another name."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    weight = model[0].weight
    assert modules.has_parameter(model[0], "weight", weight)
    assert not modules.has_parameter(model[0], "weight", copy.deepcopy(weight))
    assert not modules.has_parameter(model[0], "bias", weight)
    assert not modules.has_parameter(model, "0.weight", weight)
    assert modules.has_child(model, "0", model[0])
    assert not modules.has_child(model, "0", model[1])


def test_without_the_tables_everything_counts_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look too many is made, and no change is overlooked."""
    door = door_without(monkeypatch, "modules", *TABLES)
    model = nn.Sequential(nn.Linear(2, 2))
    model.register_forward_pre_hook(print)
    assert not door.has_parameter(model[0], "weight", model[0].weight)
    assert not door.has_child(model, "0", model[0])
    assert list(door.forward_pre_hooks(model)) == []


def test_hooks_are_told_the_latest_first() -> None:
    """That is how the attached run is found."""
    model = nn.Linear(2, 2)
    hooks = [lambda *_, number=number: None for number in range(3)]
    for hook in hooks:
        model.register_forward_pre_hook(hook)
    assert list(modules.forward_pre_hooks(model)) == hooks[::-1]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("with_kwargs", [False, True])
def test_a_hook_comes_before_those_that_are_there(
    missing: bool, with_kwargs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those keep their order; it is removed as any hook is."""
    door: Any = door_without(monkeypatch, "modules", TABLES[2]) if missing else modules
    model, called = nn.Linear(2, 2), []
    for number in (1, 2):
        model.register_forward_pre_hook(lambda *_, number=number: called.append(number))
    handle = door.register_first(model, lambda *_: called.append(0), with_kwargs=with_kwargs)
    model(torch.ones(1, 2))
    assert called == [0, 1, 2]
    if not missing:  # Dynamo counts by the plain dict
        assert list(dict.keys(model._forward_pre_hooks)) == list(model._forward_pre_hooks)
    handle.remove()
    model(torch.ones(1, 2))
    assert called == [0, 1, 2, 1, 2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_code_takes_no_hook_for_another() -> None:
    """Up to torch 2.11 it did where one was prepended."""

    class Hook:
        def __init__(self, name: str) -> None:
            setattr(self, name, 1)
            self.name = name

        def call(self, module: nn.Module, args: Any) -> None:
            assert getattr(self, self.name)

    model = nn.Sequential(nn.Linear(2, 2))
    model.register_forward_pre_hook(Hook("one").call)
    modules.register_first(model, Hook("other").call)
    assert torch.compile(model, backend="eager")(torch.ones(1, 2)).shape == (1, 2)


@pytest.mark.parametrize("missing", [False, True])
def test_statistics_are_known_of_normalisation_layers(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that keep some; without torch's own base class, of its own layers only."""
    name = "torch.nn.modules.batchnorm._NormBase"
    door: Any = door_without(monkeypatch, "modules", name) if missing else modules

    class Own(nn.modules.batchnorm._BatchNorm):
        def _check_input_dim(self, input: Any) -> None:
            """Take anything."""

    assert door.keeps_statistics(nn.BatchNorm2d(2))
    assert door.keeps_statistics(nn.InstanceNorm1d(2, track_running_stats=True))
    assert door.keeps_statistics(Own(2)) is not missing
    assert not door.keeps_statistics(nn.BatchNorm1d(2, track_running_stats=False))
    assert not door.keeps_statistics(nn.LayerNorm(2))
