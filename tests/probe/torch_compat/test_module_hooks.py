"""What is made of a model that has the probe's hooks is what it would be without them."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.account import Account
from gradgate.probe.base.guard import Guard, GuardedHook
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat.autograd import is_exported
from gradgate.probe.torch_compat.module_hooks import HooksApart, ModuleHook, takes_hooks

Make = Callable[[nn.Module, torch.Tensor], object]
Ask = Callable[[probe.Run], None]


class Net(nn.Module):
    """Has what each kind of command can be about."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.n = nn.BatchNorm1d(4)
        self.b = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.n(self.a(x)).relu())


def script(model: nn.Module, x: torch.Tensor) -> object:
    return str(torch.jit.script(model).graph)


def script_of_a_copy(model: nn.Module, x: torch.Tensor) -> object:
    return script(copy.deepcopy(model), x)


def trace(model: nn.Module, x: torch.Tensor) -> object:
    return str(torch.jit.trace(model, x).graph)


def export(model: nn.Module, x: torch.Tensor) -> object:
    return torch.export.export(model, (x,)).graph_module.code


def export_strictly(model: nn.Module, x: torch.Tensor) -> object:
    return torch.export.export(model, (x,), strict=True).graph_module.code


def symbolic_trace(model: nn.Module, x: torch.Tensor) -> object:
    return torch.fx.symbolic_trace(model).code


def output_of_a_copy(model: nn.Module, x: torch.Tensor) -> object:
    return copy.deepcopy(model)(x).tolist()


def output_of_a_pickle(model: nn.Module, x: torch.Tensor) -> object:
    return pickle.loads(pickle.dumps(model))(x).tolist()


def output_compiled(model: nn.Module, x: torch.Tensor) -> object:
    return torch.compile(model, backend="eager", fullgraph=True)(x).tolist()


def unchanged(self: nn.Module, given: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    return output


MAKERS = (
    script,
    script_of_a_copy,
    trace,
    export,
    export_strictly,
    symbolic_trace,
    output_of_a_copy,
    output_of_a_pickle,
    output_compiled,
)


def ask_for_freezes_and_gates(run: probe.Run) -> None:
    run.freeze("a", mode="no_grad", hold_stats=True)
    run.freeze("n.weight", hold_stats=True)
    run.gate("output:a")
    run.gate("input:b", action="scale", factor=0.5)
    run.gate("param:b.weight")
    run.explain()


def freeze_all(run: probe.Run) -> None:
    run.freeze("*")


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()


def named_anew(program: object) -> object:
    """The text of a program without what TorchScript mangles names by."""
    return re.sub(r"___torch_mangle_\d+\.", "", program) if isinstance(program, str) else program


@pytest.mark.filterwarnings("ignore")  # of Dynamo's own, and TorchScript's of its age
@pytest.mark.parametrize("ask", [freeze_all, ask_for_freezes_and_gates])
def test_what_is_made_of_a_model_is_what_it_is_without_gradgate(ask: Ask) -> None:
    """Scripted, traced, exported, copied, pickled or compiled, with freezes and gates standing."""
    torch._dynamo.reset()
    model, x = Net(), torch.randn(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer)
        ask(run)
        train(model, optimizer)
        plain = Net()
        plain.load_state_dict(model.state_dict())
        for own, other in zip(model.parameters(), plain.parameters(), strict=True):
            other.requires_grad_(own.requires_grad)
        model.eval()
        plain.eval()
        for make in MAKERS:
            assert named_anew(make(model, x)) == named_anew(make(plain, x)), make.__name__


@pytest.mark.filterwarnings("ignore")  # of Dynamo's own
@pytest.mark.parametrize("make", [symbolic_trace, trace, export, export_strictly])
def test_what_is_run_to_be_recorded_is_no_forward_of_the_job(make: Make) -> None:
    """A command after it still takes effect at once."""
    model = Net()
    with probe.attach(model, torch.optim.SGD(model.parameters(), 0.1), server=False) as run:
        make(model, torch.randn(3, 4))
        run.freeze("a")
        assert not model.a.weight.requires_grad


@pytest.mark.filterwarnings("ignore:.*(deprecated|not supported in Python 3.14).*")
def test_hooks_are_back_in_their_order_after_scripting() -> None:
    """Before those of the user's, which TorchScript compiles."""
    model, called = nn.Linear(2, 2), list[int]()
    model.register_forward_hook(ModuleHook(Guard(), lambda *_: called.append(1)))
    model.register_forward_hook(unchanged)
    model.register_forward_hook(ModuleHook(Guard(), lambda *_: called.append(2)))
    before = list(model._forward_hooks)
    apart = HooksApart(Guard())
    torch.jit.script(model)
    apart.remove()
    model(torch.ones(2))
    assert called == [1, 2]
    assert list(model._forward_hooks) == before


def test_scripting_is_torchs_own_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the last of several is removed, or was dropped."""

    def own(*_: object) -> None:
        """In torch's place, where a run of another test may stand still."""

    monkeypatch.setattr(torch.jit._recursive, "create_script_module", own)
    first, second = HooksApart(Guard()), HooksApart(Guard())
    first.remove()
    assert torch.jit._recursive.create_script_module is not own
    del second
    assert torch.jit._recursive.create_script_module is own


@pytest.mark.filterwarnings("ignore:.*(deprecated|not supported in Python 3.14).*")
def test_a_module_of_torchscript_takes_no_hooks() -> None:
    """And it says so by its class."""
    assert takes_hooks(nn.Linear(2, 2))
    assert not takes_hooks(torch.jit.script(nn.Linear(2, 2)))


class Broken(nn.Module):
    """Has a forward that Dynamo cannot trace as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        torch._dynamo.graph_break()
        return y.relu()


def is_compiled(function: Any) -> bool:
    """Whether Dynamo has made code of a function's own frames."""
    return bool(torch._dynamo.eval_frame._debug_get_cache_entry_list(function.__code__))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("in_place", [False, True], ids=["wrapped", "in-place"])
def test_dynamo_makes_no_code_of_a_hook_by_itself(*, in_place: bool) -> None:
    """Where it calls the hooks of a module one by one; they do their work all the same."""
    torch._dynamo.reset()
    calls: list[bool] = []
    model = Broken()

    def count(*_: object) -> None:
        calls.append(torch.compiler.is_compiling())  # a side effect, for which it makes code

    for register in (model.register_forward_pre_hook, model.register_forward_hook):
        register(ModuleHook(Guard(), count))
    compiled: Any = model
    if in_place:
        model.compile(backend="eager")
    else:
        compiled = torch.compile(model, backend="eager")
    for _ in range(3):
        compiled(torch.ones(1, 4))
    assert calls == [False] * 6
    assert is_compiled(Broken.forward)
    own = (
        GuardedHook.__call__,
        ModuleHook.run,
        ModuleHook._act,
        is_exported,
        Account.end,
    )
    assert not any(map(is_compiled, (count, *own)))


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch._dynamo")
def test_dynamo_makes_no_code_of_what_is_around_hooks() -> None:
    """Where a whole step is compiled: there is a clock in it, at which a graph would break."""
    torch._dynamo.reset()
    torch._dynamo.utils.clear_compilation_metrics()
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step() -> None:
        optimizer.zero_grad()
        model(torch.ones(1, 4)).sum().backward()
        optimizer.step()

    with probe.attach(model, optimizer, server=False, every=1) as run:
        compiled = torch.compile(step, backend="eager")
        for _ in range(3):
            compiled()
        assert (job_of(run).state.step, job_of(run).guard.faults) == (3, 0)
    made = {each.co_name for each in torch._dynamo.utils.get_compilation_metrics()}
    assert "step" in made
    assert not made & {"run", "charge"}
