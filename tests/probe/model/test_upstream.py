"""What flows into a module, against ``torch.autograd.grad`` asked for every parameter."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.base.guard import Guard
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.model.upstream import Upstream, UpstreamObserver


def observe(model: nn.Module, path: str, forward: Callable[[], Any], *ignored: Tensor) -> Upstream:
    """Observe one module during one forward; the observer leaves nothing behind."""
    guard = Guard()
    module = model.get_submodule(path)
    observer = UpstreamObserver([module], ParameterTable({"": model}), guard, ignored)
    forward()
    observer.remove()
    observer.remove()
    assert not module._forward_pre_hooks
    assert guard.faults == 0
    return observer.seen()


def names(model: nn.Module, upstream: Upstream) -> list[str]:
    table = ParameterTable({"": model})
    return [table.name(index) for index in upstream.indexes]


def reference(model: nn.Module, path: str, forward: Callable[[], Any]) -> list[str]:
    """The parameters that get a gradient from the module's inputs, asked one by one."""
    found = set()

    def ask(module: nn.Module, args: Any) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        for tensor in args:
            if tensor.requires_grad:
                grads = torch.autograd.grad(
                    tensor.sum(), parameters, allow_unused=True, retain_graph=True
                )
                found.update(id(p) for p, g in zip(parameters, grads, strict=True) if g is not None)

    handle = model.get_submodule(path).register_forward_pre_hook(ask)
    forward()
    handle.remove()
    return [name for name, p in model.named_parameters() if id(p) in found]


class Double(torch.autograd.Function):
    """A function of the user's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, unused: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return 2 * grads[0], None


class Net(nn.Module):
    """``first``, then something in between, then ``second``, then ``third``."""

    def __init__(self, between: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)
        self.shared = nn.Linear(4, 4)
        self.shared.weight = self.first.weight
        self.second = nn.Linear(4, 4)
        self.third = nn.Linear(4, 4)
        self.recurrent = nn.LSTM(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        h = self.between(self, self.first(x))
        return self.third(self.second(h) + self.other(x))  # type: ignore[no-any-return]


BETWEEN: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "plain": lambda net, h: torch.relu(h),
    "branches": lambda net, h: h.detach() + net.other(torch.ones(3, 4)) * net.shared(h.detach()),
    "detached": lambda net, h: h.detach(),
    "views and in place": lambda net, h: h.view(2, 6).t().reshape(3, 4).mul_(2)[:, [1, 0, 2, 3]],
    "own function": lambda net, h: Double.apply(h, torch.ones(1)),  # type: ignore[no-untyped-call, no-any-return]
    "recurrent": lambda net, h: net.recurrent(h)[0],  # type: ignore[no-any-return]
    "normalised": lambda net, h: net.norm(h),  # type: ignore[no-any-return]
    "twice": lambda net, h: net.second(net.second(h)),  # type: ignore[no-any-return]
    "checkpoint": lambda net, h: checkpoint(lambda x: net.other(x) * 2, h, use_reentrant=False),  # type: ignore[no-any-return]
    "no_grad": lambda net, h: torch.no_grad()(net.norm)(h) + h * 0,
}


@pytest.mark.parametrize("between", list(BETWEEN))
@pytest.mark.parametrize("path", ["first", "second", "third", "other"])
@pytest.mark.parametrize("frozen", ["", "first", "other"])
def test_the_parameters_are_those_that_autograd_would_give_a_gradient(
    between: str, path: str, frozen: str
) -> None:
    """By the graph alone, without a backward, the same as asking autograd for each."""
    model = Net(BETWEEN[between])
    if frozen:
        model.get_submodule(frozen).requires_grad_(False)

    def forward() -> Tensor:
        return model(torch.ones(3, 4))  # type: ignore[no-any-return]

    expected = reference(model, path, forward)
    upstream = observe(model, path, forward)
    assert upstream.called
    assert names(model, upstream) == expected
    assert upstream.carries == bool(expected)
    assert not upstream.foreign


@dataclass
class Batch:
    """What a forward may be given."""

    x: Tensor


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (lambda x: ({"a": [x, 3]},), lambda x: {}),
        (lambda x: (None,), lambda x: {"deep": (1, {"b": x})}),
        (lambda x: (Batch(x),), lambda x: {}),
    ],
    ids=["positional", "keyword", "dataclass"],
)
def test_inputs_of_all_shapes_are_looked_into(
    args: Callable[[Tensor], Any], kwargs: Callable[[Tensor], Any]
) -> None:
    """Containers, keywords and dataclasses."""

    class Any_(nn.Module):
        def forward(self, *args: Any, **kwargs: Any) -> None:
            return None

    model = nn.ModuleDict({"a": nn.Linear(4, 4, bias=False), "b": Any_()})

    def forward() -> None:
        x = model["a"](torch.ones(4))
        model["b"](*args(x), **kwargs(x))

    assert names(model, observe(model, "b", forward)) == ["a.weight"]


def test_a_module_that_is_not_called_or_without_gradients_says_nothing() -> None:
    """An evaluation in between does not pass for an answer."""
    model = Net(BETWEEN["plain"])
    assert not observe(model, "second", lambda: None).called
    upstream = observe(model, "second", lambda: torch.no_grad()(model)(torch.ones(3, 4)))
    assert (upstream.called, upstream.carries) == (False, False)


@pytest.mark.parametrize("direct", [True, False])
def test_a_leaf_that_is_no_parameter_is_foreign(direct: bool) -> None:
    """An input that is being optimised, or another model's parameter, loses its gradient too."""
    model = nn.Sequential(nn.Linear(4, 4))
    x = torch.ones(4, requires_grad=True)
    upstream = observe(model, "0", lambda: model(x if direct else nn.Linear(4, 4)(x * 2)))
    assert (upstream.foreign, upstream.carries, upstream.indexes) == (True, True, [])


def test_ignored_leaves_do_not_count() -> None:
    """Neither the probe's own anchor nor the target's own parameters."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    leaf = torch.zeros(1, requires_grad=True)

    def forward() -> Tensor:
        return model[1](model[1](model[0](torch.ones(4))) + leaf)  # type: ignore[no-any-return]

    ignored = (leaf, *model[1].parameters())
    upstream = observe(model, "1", forward, *ignored)
    assert (names(model, upstream), upstream.foreign) == (["0.weight", "0.bias"], False)
    upstream = observe(model, "1", forward, *ignored, *model[0].parameters())
    assert (upstream.called, upstream.carries) == (True, False)
    assert observe(model, "1", forward, *ignored[1:]).foreign


def test_calls_of_several_modules_and_models_are_united() -> None:
    """A discriminator's input carries the generator's parameters."""
    models = {"d": nn.Sequential(nn.Linear(4, 4)), "g": nn.Sequential(nn.Linear(4, 4))}
    table = ParameterTable(models)
    observer = UpstreamObserver(models.values(), table, Guard())
    models["g"](torch.ones(4))
    assert not observer.seen().carries
    models["d"](models["g"](torch.ones(4)))
    observer.remove()
    found = [table.name(index) for index in observer.seen().indexes]
    assert found == ["g.0.weight", "g.0.bias"]


@pytest.mark.parametrize(
    ("function", "known"),
    [
        (lambda module: module, True),
        (lambda module: module.forward, True),
        (lambda module: module.__call__, True),
        (lambda module: functools.partial(module.__call__), True),
        (lambda module: lambda x: module(x), False),
    ],
    ids=["module", "forward", "call", "partial", "lambda"],
)
def test_a_reentrant_checkpoint_upstream_names_its_module_or_is_foreign(
    function: Callable[[nn.Module], Any], known: bool
) -> None:
    """What is hidden is never taken for nothing."""
    model = nn.ModuleDict({"in": nn.Linear(4, 4), "seg": nn.Linear(4, 4), "out": nn.Linear(4, 4)})
    model["seg"].bias.requires_grad_(False)  # type: ignore[union-attr]

    def forward() -> Tensor:
        h = model["in"](torch.ones(4))
        return model["out"](checkpoint(function(model["seg"]), h, use_reentrant=True))  # type: ignore[no-any-return]

    upstream = observe(model, "out", forward)
    expected = ["in.weight", "in.bias"] + ["seg.weight"] * known
    assert (names(model, upstream), upstream.foreign) == (expected, not known)


def test_a_module_inside_a_reentrant_checkpoint_is_seen_in_the_backward() -> None:
    """Its second forward shows the parameters inside, and that something enters."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    forward = lambda: checkpoint(model[1], model[0](torch.ones(4)), use_reentrant=True)  # noqa: E731
    assert not observe(model, "1.1", forward).called
    upstream = observe(model, "1.1", lambda: forward().sum().backward())
    assert (names(model, upstream), upstream.foreign) == (["1.0.weight", "1.0.bias"], True)


def test_a_deep_graph_is_walked_without_recursion() -> None:
    """Twenty thousand nodes, each with two ways to the next."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))

    def forward() -> None:
        x = model[0](torch.ones(1))
        for _ in range(10_000):
            x = x + x * 0
        model[1](x)

    assert names(model, observe(model, "1", forward)) == ["0.weight", "0.bias"]


def test_a_copy_made_meanwhile_is_not_observed() -> None:
    """A momentum copy has no hook that works."""
    model = nn.Sequential(nn.Linear(4, 4))
    upstream = observe(model, "0", lambda: copy.deepcopy(model)(torch.ones(4, requires_grad=True)))
    assert not upstream.called


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_inside_a_compiled_function_nothing_is_seen_and_the_graph_stays_whole() -> None:
    """The answer is then that nothing is known."""
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward() -> Tensor:
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        return compiled(torch.ones(4))  # type: ignore[no-any-return]

    assert not observe(model, "1", forward).called
