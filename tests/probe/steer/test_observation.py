"""What flows into modules that are to run without a graph."""

from __future__ import annotations

import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.freezer import Freezer
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.model.selection import select
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.steer.observation import Observation, Observing
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support.steered import Chain


def observation(model: nn.Module, target: str) -> Observation:
    models = {"": model}
    table = ParameterTable(models)
    freezer = Freezer(models, [], table, Guard(), Wrappers(models))
    command = FreezeCommand(target, "no_grad", by="test")
    selection = select(command.target, table, models, without_graph=True)
    return Observing(models, table, freezer, Guard()).begin(selection)


def test_what_flows_in_is_a_problem_by_name() -> None:
    """The module's own parameters are none."""
    model = Chain()
    body, stem = observation(model, "body"), observation(model, "stem")
    model(torch.ones(2, 6))
    assert body.upstream().indexes == [0, 1]
    assert "'body' cannot run without a graph" in str(body.problem())
    assert "the gradient of stem.weight (and 1 more), which would lose theirs" in str(
        body.problem()
    )
    assert stem.upstream().indexes == []
    assert stem.problem() is None


def test_an_input_that_asks_for_its_gradient_is_a_problem() -> None:
    """It is no parameter, and would be cut off as well."""
    model = Chain()
    stem = observation(model, "stem")
    model(torch.ones(2, 6, requires_grad=True))
    assert stem.upstream().foreign
    assert "a tensor that is no parameter of this model" in str(stem.problem())


def test_of_what_did_not_run_nothing_is_known() -> None:
    """One of several is enough, and it is named."""
    model = Chain()
    model.spare = nn.Linear(2, 2)
    both = observation(model, "s*")
    model(torch.ones(2, 6))
    assert not both.upstream().called
    assert "'spare' was not seen to run" in str(both.problem())


def test_after_its_end_nothing_is_seen() -> None:
    """No hook is left on the modules."""
    model = Chain()
    stem = observation(model, "stem")
    stem.end()
    model(torch.ones(2, 6))
    assert not stem.upstream().called


def test_a_module_that_feeds_itself_is_no_problem() -> None:
    """Called twice, what flows in carries its own parameters, which are to be frozen."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(self.layer(x))  # type: ignore[no-any-return]

    model = Twice()
    layer = observation(model, "layer")
    model(torch.ones(2, 3))
    assert layer.upstream().called
    assert layer.problem() is None
