"""What cannot be frozen or thawed is refused before anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.errors import CommandError, MissingFromTorch
from gradgate.probe.freeze.refusals import Refusals
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat import requirements
from gradgate.probe.torch_compat.parts import FREEZING, Part
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support.steered import reports_of

Check = Callable[..., None]


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


@pytest.fixture
def check(model: nn.Sequential) -> Check:
    """Ask about the first layer of the model, which is trained by the optimizer that is given."""

    def ask(optimizer: torch.optim.Optimizer | None = None, mode: str = "grad") -> None:
        models = {"": model}
        optimizers = [] if optimizer is None else [optimizer]
        Refusals(models, optimizers, table, Wrappers(models)).check([0, 1], mode)

    table = ParameterTable({"": model})
    return ask


def test_a_dense_trainable_parameter_is_not_refused(check: Check) -> None:
    """In either mode."""
    check()
    check(mode="no_grad")


def test_what_lbfgs_trains_is_refused(model: nn.Sequential, check: Check) -> None:
    """It moves along past directions; of another optimizer's parameters nothing is said."""
    with pytest.raises(CommandError, match=r"'0\.weight' is trained by LBFGS"):
        check(torch.optim.LBFGS(model[0].parameters()))
    check(torch.optim.LBFGS(model[1].parameters()))


def test_a_parameter_that_was_replaced_is_refused(model: nn.Sequential, check: Check) -> None:
    """To freeze the old one would do nothing."""
    model[0].weight = nn.Parameter(torch.ones(2, 2))
    with pytest.raises(CommandError, match="was replaced by another tensor"):
        check()


def test_a_compiled_model_takes_one_mode_only(model: nn.Sequential, check: Check) -> None:
    """Compiled around the model, which does not know of it."""
    compiled = torch.compile(model, backend="eager")
    check(mode="grad")
    with pytest.raises(CommandError, match="a compiled model takes mode 'grad' only"):
        check(mode="no_grad")
    assert compiled is not None


def test_a_torch_that_lacks_a_part_is_refused(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the part."""
    gone = Part("torch._gone", otherwise="nothing works", needed_for=(FREEZING,))
    monkeypatch.setattr(requirements, "PARTS", (gone,))
    with pytest.raises(MissingFromTorch, match=r"torch\._gone"):
        check()


def test_a_sparse_parameter_is_refused_and_the_other_commands_go_on() -> None:
    """A command that cannot be done does not take the others of its step along."""
    model = nn.Module()
    model.p = nn.Parameter(torch.eye(3).to_sparse())
    model.q = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([model.q], lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        job_of(run).queue.submit(FreezeCommand("*", by="test", id=1))
        job_of(run).queue.submit(FreezeCommand("q", by="test", id=2))
        model.q.sum().backward()
        optimizer.step()
    last = {report.command.id: report for report in reports}
    assert last[1].state.value == "rejected"
    assert "only dense parameters can be frozen" in last[1].reason
    assert last[2].state.value == "applied"
