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
from tests.support.steered import hook_counts, reports_of

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


def meta() -> nn.Module:
    return nn.Linear(2, 2, device="meta")


def integer() -> nn.Module:
    """A stand-in for what quantisation leaves as parameters."""
    module = nn.Linear(2, 2)
    module.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.int8), requires_grad=False)
    return module


def quantised() -> nn.Module:
    module = nn.Linear(2, 2)
    weight = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.quint8)
    module.weight = nn.Parameter(weight, requires_grad=False)
    return module


def inference() -> nn.Module:
    with torch.inference_mode():
        return nn.Linear(2, 2)


def computed() -> nn.Module:
    """Its weight was written to in place by what autograd follows."""
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.requires_grad_(False)
    module.weight.mul_(torch.ones(1, requires_grad=True))
    return module


def scripted() -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.filterwarnings("ignore")  # of torch's, that quantised tensors and TorchScript go
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (meta, "is on the meta device, where it has no values; give it some"),
        (integer, r"has dtype torch\.int8.*choose a target without it"),
        (quantised, r"has dtype torch\.quint8"),
        (inference, "was made in inference mode"),
        (computed, "was computed by operations that autograd follows"),
        (scripted, "is TorchScript and takes no hooks.*attach before torch.jit.script"),
    ],
)
@pytest.mark.parametrize("ask", ["freeze", "thaw", "gate"])
def test_what_cannot_take_a_command_is_refused_before_anything_is_done(
    make: Callable[[], nn.Module], reason: str, ask: str
) -> None:
    """Beside what could, which is left alone as well; the gradient of it goes on."""
    model = nn.Sequential(make(), nn.Linear(2, 2))
    name = next(name for name, _ in model.named_parameters() if name.endswith("weight"))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    with probe.attach(model, optimizer, server=False, every=1) as run:
        hooks = hook_counts(model)
        if ask == "gate":
            with pytest.raises(CommandError, match=reason):
                run.gate(f"param:{name}")
        else:
            with pytest.raises(CommandError, match=reason):
                getattr(run, ask)("*")
        assert hook_counts(model) == hooks
        assert [parameter.requires_grad for parameter in model.parameters()] == flags
        assert all(info.frozen is None for info in run.parameters())
        model[1](torch.ones(1, 2)).sum().backward()
        optimizer.step()
        run.freeze("1")
