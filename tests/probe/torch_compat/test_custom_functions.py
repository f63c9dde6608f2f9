"""Custom functions that tell of being applied."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from gradgate.probe.torch_compat.custom_functions import CustomFunctions


class Twice(Function):
    """Its forward is given the node."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        return factor * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return 2 * grad, None


class Again(Twice):
    """Inherits its forward, and has a backward of its own."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class Apart(Function):
    """Sets its context up apart from the forward."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.factor = 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return ctx.factor * grad  # type: ignore[no-any-return]


kept = Twice.apply


def test_each_call_is_told_with_its_class_and_its_node() -> None:
    """Also of one that is kept under another name, and of one that inherits its forward."""
    before = {kind: dict(vars(kind)) for kind in (Twice, Again, Apart)}
    told: list[tuple[Any, ...]] = []
    listening = CustomFunctions(lambda *each: told.append(each))
    x = torch.ones(2, requires_grad=True)
    listening.start()
    made = [kept(x, 2.0), Again.apply(x, 3.0), Apart.apply(x)]  # type: ignore[no-untyped-call]
    listening.stop()
    kept(x, 2.0)  # type: ignore[no-untyped-call]
    assert [kind for kind, *_ in told] == [Twice, Again, Apart]
    assert [node for _, node, *_ in told] == [each.grad_fn for each in made]
    assert [given[0] is x for _, _, given, _ in told] == [True, True, True]
    assert [given[1:] for _, _, given, _ in told] == [(2.0,), (3.0,), ()]
    for kind, own in before.items():
        assert {n: type(v) for n, v in vars(kind).items()} == {n: type(v) for n, v in own.items()}


def test_torchs_own_are_not_told_of() -> None:
    """A reentrant checkpoint is one."""
    told: list[Any] = []
    listening = CustomFunctions(lambda *each: told.append(each))
    listening.start()
    x = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=True)
    listening.stop()
    assert told == []
