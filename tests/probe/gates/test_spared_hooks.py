"""The script's own hooks behind a closed gate: not called, as with a detach in its place."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook

from gradgate import probe
from tests.support.asking import batch, critic

Register = Callable[[nn.Sequential, list[Any]], Any]


def on_a_parameter(model: nn.Sequential, seen: list[Any]) -> Any:
    return model[0].weight.register_hook(lambda grad: seen.append(grad.clamp(-1, 1)))


def by_keyword(model: nn.Sequential, seen: list[Any]) -> Any:
    return model[0].bias.register_hook(hook=lambda grad: seen.append(grad.norm()))


def on_a_module(model: nn.Sequential, seen: list[Any]) -> Any:
    return model[0].register_full_backward_hook(lambda _, into, out: seen.append(out[0].norm()))


def before_a_module(model: nn.Sequential, seen: list[Any]) -> Any:
    return model[0].register_full_backward_pre_hook(lambda _, out: seen.append(out[0].norm()))


def on_any_of_several(model: nn.Sequential, seen: list[Any]) -> Any:
    weights = [model[0].weight, model[0].bias]
    return register_multi_grad_hook(weights, lambda grad: seen.append(grad.norm()), mode="any")


def once_a_gradient_is_in(model: nn.Sequential, seen: list[Any]) -> Any:
    return model[0].weight.register_post_accumulate_grad_hook(lambda w: seen.append(w.grad.norm()))


REGISTER: dict[str, Register] = {
    each.__name__: each
    for each in (
        on_a_parameter,
        by_keyword,
        on_a_module,
        before_a_module,
        on_any_of_several,
        once_a_gradient_is_in,
    )
}


def train(model: nn.Sequential, optimizer: torch.optim.Optimizer, seen: list[Any]) -> None:
    """A step in which a hook is on what the first layer returns, too."""
    optimizer.zero_grad()
    hidden = model[0](batch(requires_grad=True))
    hidden.register_hook(lambda grad: seen.append(grad * 2))
    model[2](model[1](hidden)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("register", REGISTER.values(), ids=REGISTER)
def test_a_hook_is_not_called_where_a_gate_lets_nothing_pass(
    register: Register, early: bool
) -> None:
    """Whether it was there before the gate or came after; without the gate it is called again."""
    model, seen = critic(), []  # type: ignore[var-annotated]
    optimizer = torch.optim.AdamW(model.parameters())
    handle = register(model, seen) if early else None
    with probe.attach(model, optimizer, server=False, every=1) as run:
        number = run.gate("input:2", "norm >= 0")
        handle = handle or register(model, seen)
        for _ in range(2):
            train(model, optimizer, seen)
        assert not seen
        assert run.gates()[0].closed_steps == 2
        run.ungate(number)
        train(model, optimizer, seen)
    assert len(seen) == 2  # this one, and that on what the first layer returns
    handle.remove()
    train(model, optimizer, seen)
    assert len(seen) == 3


def test_a_hook_sees_and_changes_what_an_open_gate_lets_pass() -> None:
    """Its own result counts, as ever."""
    model = critic()
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        model[0].weight.register_hook(lambda grad: grad * 3)
        model(batch()).sum().backward()
        wanted = model[0].weight.grad
        model.zero_grad()
        run.gate("output:0", "norm < 0")
        model[0].weight.register_hook(lambda grad: grad * 1)
        model(batch()).sum().backward()
    assert wanted is not None
    assert torch.equal(model[0].weight.grad, wanted)


def test_none_that_no_gate_has_made_is_the_scripts_own() -> None:
    """A custom function that gives nothing calls hooks with None, and a hook may count on it."""

    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.set_materialize_grads(False)
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> None:
            return None

    model, seen = critic(), []  # type: ignore[var-annotated]
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.gate("output:2", "norm < 0")
        hidden = model[0](batch()) * 1
        hidden.register_hook(seen.append)
        model[2](Nothing.apply(hidden)).sum().backward()  # type: ignore[no-untyped-call]
    assert seen == [None]


def test_hooks_on_parameters_are_as_found_afterwards() -> None:
    """The very functions, with their handles; meanwhile they go by the script's names."""
    model = critic()

    def clamp(grad: Tensor) -> Tensor:
        return grad.clamp(-1, 1)

    model[0].weight.register_hook(clamp)
    model[0].weight.register_post_accumulate_grad_hook(print)
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.gate("output:")
        handle = model[2].weight.register_hook(clamp)
        (meanwhile,) = (model[0].weight._backward_hooks or {}).values()
        assert inspect.unwrap(meanwhile) is clamp
    for weight in (model[0].weight, model[2].weight):
        assert list((weight._backward_hooks or {}).values()) == [clamp]
    assert list((model[0].weight._post_accumulate_grad_hooks or {}).values()) == [print]
    handle.remove()
    assert not model[2].weight._backward_hooks


@pytest.mark.parametrize("hook", ["register_hook", "register_post_accumulate_grad_hook", None])
def test_a_run_with_gates_that_is_dropped_lets_everything_go(hook: str | None) -> None:
    """Its hooks stand around the script's own, and around its own while it looks closely."""
    register = torch.Tensor.register_post_accumulate_grad_hook
    model = critic()
    optimizer = torch.optim.SGD(model.parameters())
    if hook is not None:
        getattr(model[0].weight, hook)(print)
    run = probe.attach(model, optimizer, server=False, every=1)
    run.gate("output:0")
    run.explain()
    model(batch()).sum().backward()
    optimizer.step()
    ghosts = [weakref.ref(model), weakref.ref(run)]
    del model, optimizer, run
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]
    assert torch.Tensor.register_post_accumulate_grad_hook is register
