"""Explanations beside what else a step may do: threads, other traces, workers, ``torch.func``."""

from __future__ import annotations

import gc
import multiprocessing
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup
from torch.func import functional_call, grad, vmap

from gradgate import probe

from .test_explain import Cut, left_behind

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
CUT = {"encoder.weight": "detached", "encoder.bias": "detached"}


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the probe's own errors fail the test; after a trace all is as it was."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    before = left_behind()
    yield
    assert left_behind() == before


def causes(model: nn.Module, closure: Callable[[], object] | None = None) -> dict[str, str]:
    found = probe.explain(model, closure or (lambda: model(X).square().sum().backward()))
    return {name: each.cause for name, each in found.items()}


def test_traces_may_be_nested() -> None:
    """Each says what it would say alone."""
    outer, inner = Cut(), Cut()
    found = []

    def closure() -> None:
        found.append(causes(inner))
        outer(X).sum().backward()

    assert causes(outer, closure) == CUT
    assert found == [CUT]


def test_traces_may_run_in_threads_at_once() -> None:
    """They begin and end in any order, and none sees what another does."""
    together = threading.Barrier(3)

    def one(_: int) -> dict[str, str]:
        model = Cut()

        def closure() -> None:
            together.wait()
            with torch.inference_mode():
                nn.Linear(2, 2)
            model(X).sum().backward()
            together.wait()

        return causes(model, closure)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(one, range(3))) == [CUT] * 3


def test_what_ran_in_another_thread_is_not_guessed_at() -> None:
    """Nobody saw what it did there."""
    model = Cut()
    with ThreadPoolExecutor(1) as pool:
        found = probe.explain(model, lambda: pool.submit(model, X).result().sum().backward())
    assert {name: each.cause for name, each in found.items()} == dict.fromkeys(CUT, "unknown")
    assert "another thread" in found["encoder.weight"].detail


def test_a_process_forked_in_the_step_is_not_traced() -> None:
    """A loader's workers do not write down what they do, as long as they live."""
    model = nn.Linear(4, 4)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe()

    def work(deep: Tensor) -> None:
        seen = []
        deep.register_hook(seen.append)  # needs no mode
        torch.from_numpy(torch.ones(2).numpy())
        send.send(sum(type(each).__name__ == "Call" for each in gc.get_objects()))

    def closure() -> None:
        before = sum(type(each).__name__ == "Call" for each in gc.get_objects())
        worker = context.Process(target=work, args=(torch.ones(1, requires_grad=True),))
        worker.start()
        assert receive.recv() <= before + 1  # the leaf of this line
        worker.join()
        model(X).sum().backward()

    assert causes(model, closure) == {}


def test_a_step_in_torch_func_is_explained() -> None:
    """Tensors of ``vmap`` and ``grad`` cannot be read once those are over."""
    model = nn.ModuleDict({"used": nn.Linear(4, 2), "never": nn.Linear(4, 2)})
    used = model["used"]

    def loss(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(used, parameters, (row,)).square().mean()

    def closure() -> None:
        each = vmap(grad(loss), in_dims=(None, 0))(dict(used.named_parameters()), X)
        for name, parameter in used.named_parameters():
            parameter.grad = each[name].mean(0)

    assert causes(model, closure) == {
        "never.weight": "module_not_called",
        "never.bias": "module_not_called",
    }


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_a_lazy_model_is_explained_in_its_first_step() -> None:
    """In a live job; its parameters and buffers have no shape when the step begins."""
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.LazyLinear(2))
    with probe.attach(model, server=False, every=1) as run:
        run.explain()
        model(X).square().sum().backward()
        run.step()
        assert run.explanations() == {}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_of_the_inside_of_torchscript_nothing_is_guessed() -> None:
    """It takes no hooks."""
    assert causes(torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))) == {}
    never = nn.ModuleDict({"used": nn.Linear(4, 4), "never": torch.jit.script(nn.Linear(2, 2))})
    assert causes(never, lambda: never["used"](X).sum().backward()) == {
        "never.weight": "unknown",
        "never.bias": "unknown",
    }


def test_of_what_torch_func_hides_nothing_is_guessed() -> None:
    """The tensors inside of ``vmap`` are others than those that come out."""
    model = nn.Linear(4, 2)

    def closure() -> None:
        rows = vmap(lambda row: model(row).detach())(X)
        (rows.sum() + torch.zeros((), requires_grad=True)).backward()

    assert causes(model, closure) == {"weight": "unknown", "bias": "unknown"}


class Doubled(torch.autograd.Function):
    """Of which a mode sees no call."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * 2


class Rebuilt(nn.Module):
    """Makes a new parameter of its weight in each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        weight = nn.Parameter(self.layer.weight.detach() * 2)  # the cut
        return self.head(x @ Doubled.apply(weight) + self.layer.bias)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("sharded", [False, True])
def test_a_parameter_that_the_step_makes_is_followed_into_a_custom_function(sharded: bool) -> None:
    """Which is its first use; also where others are yet to be made whole."""
    model = Rebuilt()
    if sharded:
        for module in (model.head, model):
            fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
    found = probe.explain(model, lambda: model(X).square().sum().backward())
    assert {name: each.cause for name, each in found.items()} == {"layer.weight": "detached"}
    assert str(found["layer.weight"].where).endswith(
        f":{Rebuilt.forward.__code__.co_firstlineno + 1}"
    )


def test_an_array_that_a_custom_function_wrote_to_is_not_what_made_it() -> None:
    """That has the line of the function."""

    class AddInto(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, into: Tensor) -> Tensor:
            ctx.mark_dirty(into)
            return into.add_(x)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
            return None, grads[0]

    model = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.Linear(4, 2)})

    def closure() -> None:
        buffer = torch.from_numpy(np.zeros((3, 4), np.float32))
        AddInto.apply(model["first"](X), buffer)
        model["second"](buffer).sum().backward()

    for each in probe.explain(model, closure).values():
        assert each.cause == "not_differentiable"
        assert "custom function `AddInto`" in each.detail


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("to", [torch.float8_e4m3fn, "meta"])
def test_sparse_tensors_of_a_step_are_left_as_they_are(to: Any) -> None:
    """Not all can be made ones without doubles, and of many it takes long."""
    model, values = nn.Linear(4, 4), torch.ones(2).to(to)
    places = torch.tensor([[0, 1], [2, 0]], device=values.device)

    def closure() -> None:
        made = torch.sparse_coo_tensor(places, values, (4, 4))
        model(X).sum().backward()
        assert not made.is_coalesced()

    assert causes(model, closure) == {}


@pytest.mark.usefixtures("alone")
def test_the_line_that_freezes_a_sharded_parameter_is_the_scripts() -> None:
    """And not that where the whole one follows it."""
    model = Cut()
    for module in (model.encoder, model.head, model):
        fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
    model(X)

    def closure() -> None:
        model.head.requires_grad_(False)
        model(X).square().sum().backward()

    found = probe.explain(model, closure)
    line = closure.__code__.co_firstlineno + 1
    assert found["head.weight"].cause == "frozen_by_script"
    assert str(found["head.weight"].where).endswith(f":{line}")


@pytest.mark.usefixtures("alone")
def test_a_fully_shard_of_another_kind_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what is known of it, whole parameters are those of no parts."""
    model = Cut()
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    assert causes(model) == CUT
    monkeypatch.delattr(FSDPParamGroup, "_init_mp_dtypes")
    found = probe.explain(model, lambda: model(X).square().sum().backward())
    assert {name: each.cause for name, each in found.items()} == dict.fromkeys(CUT, "unknown")
    assert "without '_init_mp_dtypes'" in found["encoder.weight"].detail


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_have_no_shape() -> None:
    """A step may use them."""
    model = nn.Linear(4, 2)

    def closure() -> None:
        rows = torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)])
        torch.nested.to_padded_tensor(model(rows), 0.0).sum().backward()

    assert causes(model, closure) == {}


def test_an_output_marked_as_not_differentiable_is_followed() -> None:
    """Autograd knows nothing of how it came about."""

    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            rounded = x.round()
            ctx.mark_non_differentiable(rounded)
            return rounded

        @staticmethod
        def backward(ctx: Any, *_: Tensor) -> None:
            return None

    model = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.Linear(4, 2)})
    found = probe.explain(
        model, lambda: model["second"](Round.apply(model["first"](X))).sum().backward()
    )
    assert {name: each.cause for name, each in found.items()} == {
        "first.weight": "not_differentiable",
        "first.bias": "not_differentiable",
    }
    assert "custom function `Round`" in found["first.weight"].detail


def test_zeros_that_go_into_a_layer_are_named() -> None:
    """Not its bias, which happens to be zeros, too."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(model[0].bias, -100.0)
    nn.init.zeros_(model[2].bias)
    found = probe.explain(model, lambda: model(X).sum().backward())
    assert "because what comes of `relu()`" in found["2.weight"].detail


def test_eight_bits_have_no_magnitude() -> None:
    """A step may cast to ``float8``."""
    model = nn.Linear(4, 2)

    def closure() -> None:
        weight = model.weight.to(torch.float8_e4m3fn).float()
        (X @ weight.T + model.bias).sum().backward()

    assert causes(model, closure) == {}


def test_a_module_called_past_its_hooks_did_run() -> None:
    """``module.forward(x)`` tells no hook."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.unused = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)  # type: ignore[no-any-return]

    model = nn.ModuleDict({"inner": Inner()})
    line = Inner.forward.__code__.co_firstlineno
    found = probe.explain(model, lambda: model["inner"].forward(X).sum().backward())
    assert [(name, each.cause) for name, each in found.items()] == [
        ("inner.unused", "parameter_not_used")
    ]
    assert str(found["inner.unused"].where).endswith(f":{line}")


def test_a_trace_lets_go_of_the_model() -> None:
    """Without waiting for the garbage collector."""
    model = Cut()
    gone = weakref.ref(model.encoder.weight)
    gc.collect()
    gc.disable()
    try:
        causes(model)
        del model
        assert gone() is None
    finally:
        gc.enable()
