"""Calls of autograd that scripts make, each of which is right for a model that trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge, register_multi_grad_hook
from torch.func import functional_call, stack_module_state
from torch.utils.checkpoint import checkpoint

Call: TypeAlias = Callable[[nn.Sequential], object]


def batch(*, requires_grad: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 4, generator=generator)
    return x.requires_grad_() if requires_grad else x


def critic() -> nn.Sequential:
    """A chain: what a gate on the output of one layer keeps is kept from all before it."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def loss_of(model: nn.Module, x: Tensor | None = None) -> Tensor:
    return model(batch() if x is None else x).square().mean()  # type: ignore[no-any-return]


def penalty(model: nn.Module) -> Tensor:
    x = batch(requires_grad=True)
    (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    return (slope.norm(dim=1) - 1).square().mean()


def penalised(model: nn.Sequential) -> None:
    (loss_of(model) + penalty(model)).backward()


def penalty_alone(model: nn.Sequential) -> None:
    penalty(model).backward()


def of_a_layer(model: nn.Sequential) -> None:
    hidden = model[0](batch())
    torch.autograd.grad(model[2](model[1](hidden)).sum(), hidden)[0].norm()


def by_edge(model: nn.Sequential) -> None:
    x = batch(requires_grad=True)
    (found,) = torch.autograd.grad(model(x).sum(), [get_gradient_edge(x)])
    assert found.shape == x.shape


def by_hand(model: nn.Sequential) -> None:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss_of(model), parameters)
    for parameter, grad in zip(parameters, found, strict=True):
        parameter.grad = grad


def unused_allowed(model: nn.Sequential) -> None:
    torch.autograd.grad(loss_of(model), list(model.parameters()), allow_unused=True)


def materialized(model: nn.Sequential) -> None:
    found = torch.autograd.grad(loss_of(model), list(model.parameters()), materialize_grads=True)
    assert all(grad is not None for grad in found)


def batched(model: nn.Sequential) -> None:
    directions = torch.eye(5)[:, :, None]
    found = torch.autograd.grad(
        model(batch()), list(model.parameters()), directions, is_grads_batched=True
    )
    assert [grad.shape[0] for grad in found] == [5] * 4


def with_inputs(model: nn.Sequential) -> None:
    loss_of(model).backward(inputs=list(model.parameters()))


def with_one_input(model: nn.Sequential) -> None:
    torch.autograd.backward(loss_of(model), inputs=[model[0].weight])


def weights_alone(model: nn.Sequential) -> None:
    sum(p.square().sum() for p in model.parameters()).backward()  # type: ignore[union-attr]


def several_losses(model: nn.Sequential) -> None:
    torch.autograd.backward([loss_of(model), model[0].weight.square().sum()])


def kept_graph(model: nn.Sequential) -> None:
    loss = loss_of(model)
    loss.backward(retain_graph=True)
    loss.backward()


def second_order(model: nn.Sequential) -> None:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss_of(model), parameters, create_graph=True)
    torch.autograd.grad(sum(grad.square().sum() for grad in found), parameters)


def inner_loop(model: nn.Sequential) -> None:
    names = [name for name, _ in model.named_parameters()]
    fast = list(model.parameters())
    for _ in range(2):
        loss = functional_call(model, dict(zip(names, fast, strict=True)), batch()).mean()
        found = torch.autograd.grad(loss, fast, create_graph=True)
        fast = [p - 0.1 * grad for p, grad in zip(fast, found, strict=True)]
    functional_call(model, dict(zip(names, fast, strict=True)), batch()).mean().backward()


def hooks(model: nn.Sequential) -> None:
    for parameter in model.parameters():
        handles = [
            parameter.register_hook(lambda grad: grad),
            parameter.register_post_accumulate_grad_hook(lambda _: None),
        ]
        parameter.retain_grad()
    hidden = model[0](batch())
    hidden.retain_grad()
    handles.append(hidden.register_hook(hook=lambda grad: None))
    model[2](hidden).sum().backward()
    for handle in handles:
        handle.remove()


def tensors(model: nn.Sequential) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def functional(model: nn.Sequential) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    return lambda given, x: functional_call(model, given, (x,)).square().mean()


def func_grad(model: nn.Sequential) -> None:
    found = torch.func.grad(functional(model))(tensors(model), batch())
    for name, parameter in model.named_parameters():
        parameter.grad = found[name]


def func_grad_of_input(model: nn.Sequential) -> None:
    torch.func.grad(lambda x: loss_of(model, x))(batch())


def func_vjp(model: nn.Sequential) -> None:
    out, back = torch.func.vjp(lambda given: functional(model)(given, batch()), tensors(model))
    back(torch.ones_like(out))


def func_jacrev(model: nn.Sequential) -> None:
    torch.func.jacrev(lambda given: functional_call(model, given, batch()))(tensors(model))


def func_hessian(model: nn.Sequential) -> None:
    torch.func.hessian(lambda x: loss_of(model, x))(batch())


def func_per_sample(model: nn.Sequential) -> None:
    torch.func.vmap(torch.func.grad(functional(model)), (None, 0))(tensors(model), batch())


def func_vmap(model: nn.Sequential) -> None:
    torch.func.vmap(model)(batch()).sum().backward()


def func_ensemble(model: nn.Sequential) -> None:
    stack_module_state([model[0], nn.Linear(4, 8)])  # type: ignore[list-item]


def jacobian(model: nn.Sequential) -> None:
    torch.autograd.functional.jacobian(model, batch(), create_graph=True)


def strict_jacobian(model: nn.Sequential) -> None:
    torch.autograd.functional.jacobian(model, batch(), strict=True)


def hessian(model: nn.Sequential) -> None:
    torch.autograd.functional.hessian(lambda x: loss_of(model, x), batch())


def vjp(model: nn.Sequential) -> None:
    torch.autograd.functional.vjp(model, batch(), torch.ones(5, 1))


def hvp(model: nn.Sequential) -> None:
    torch.autograd.functional.hvp(lambda x: loss_of(model, x), batch(), batch())


def checkpointed(model: nn.Sequential) -> None:
    checkpoint(model, batch(), use_reentrant=False).sum().backward()


def vectorized_jacobian(model: nn.Sequential) -> None:
    torch.autograd.functional.jacobian(lambda x: model(x).sum(0), batch(), vectorize=True)


def vectorized_hessian(model: nn.Sequential) -> None:
    torch.autograd.functional.hessian(lambda x: loss_of(model, x), batch(), vectorize=True)


def clipped_by_value(model: nn.Sequential) -> None:
    loss_of(model).backward()
    torch.nn.utils.clip_grad_value_(model[0].parameters(), 0.1)
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.1, foreach=False)


def clipped_by_norm(model: nn.Sequential) -> None:
    loss_of(model).backward()
    torch.nn.utils.clip_grad_norm_(model[0].parameters(), 0.1, error_if_nonfinite=True)


def hooks_on_several(model: nn.Sequential) -> None:
    hidden = model[0](batch())
    several = [*model.parameters(), hidden]
    handles = [
        register_multi_grad_hook(several, lambda _: None),
        register_multi_grad_hook(several, lambda _: None, mode="any"),
    ]
    model[2](hidden).sum().backward()
    for handle in handles:
        handle.remove()


def edges_of_all(model: nn.Sequential) -> None:
    hidden = model[0](batch())
    edges = [torch.autograd.graph.get_gradient_edge(t) for t in (*model.parameters(), hidden)]
    found = torch.autograd.grad(model[2](hidden).sum(), edges)
    assert [g.shape for g in found] == [*(p.shape for p in model.parameters()), hidden.shape]


def reentrant(model: nn.Sequential) -> None:
    checkpoint(model, batch(requires_grad=True), use_reentrant=True).sum().backward()


CALLS: dict[str, Call] = {
    call.__name__: call
    for call in (
        penalised,
        penalty_alone,
        of_a_layer,
        by_edge,
        by_hand,
        unused_allowed,
        materialized,
        batched,
        with_inputs,
        with_one_input,
        weights_alone,
        several_losses,
        kept_graph,
        second_order,
        inner_loop,
        hooks,
        func_grad,
        func_grad_of_input,
        func_vjp,
        func_jacrev,
        func_hessian,
        func_per_sample,
        func_vmap,
        func_ensemble,
        jacobian,
        strict_jacobian,
        hessian,
        vjp,
        hvp,
        vectorized_jacobian,
        vectorized_hessian,
        clipped_by_value,
        clipped_by_norm,
        hooks_on_several,
        edges_of_all,
        checkpointed,
        reentrant,
    )
}
