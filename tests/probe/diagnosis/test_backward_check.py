"""Backwards of custom functions against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import Function

from gradgate.probe.base.guard import Guard
from gradgate.probe.diagnosis.applied_functions import MOST_ALIKE, Applied, AppliedFunctions
from gradgate.probe.diagnosis.backward_check import Deviation, Kind, Unchecked, check
from gradgate.probe.diagnosis.leaf_keys import LeafKeys


def made(
    forward: Callable[..., Any], backward: Callable[..., Any], name: str = "Made"
) -> type[Function]:
    """A function of one input ``x``; ``backward`` is given it, and the gradient."""

    def run(ctx: Any, x: Tensor) -> Any:
        ctx.x = x.detach().clone()
        return forward(x)

    def back(ctx: Any, *grad: Tensor) -> Any:
        return backward(ctx.x, *grad)

    return type(name, (Function,), {"forward": staticmethod(run), "backward": staticmethod(back)})


def applied(kind: type[Function], *given: Any) -> Applied:
    """One call of a function, as it is kept."""
    with AppliedFunctions(Guard(), LeafKeys()) as functions:
        kind.apply(*given)  # type: ignore[no-untyped-call]
    (call,) = functions.calls
    return call


def checked(kind: type[Function], x: Tensor | None = None) -> list[Deviation] | Unchecked:
    torch.manual_seed(0)
    given = torch.randn(5, 3) if x is None else x
    return check(applied(kind, given.requires_grad_()))


@pytest.mark.parametrize(
    ("backward", "kind", "factor"),
    [
        (lambda x, g: g * x.cos(), None, math.nan),
        (lambda x, g: -0.5 * g * x.cos(), Kind.FACTOR, -0.5),
        (lambda x, g: g * (x.cos() + 0.1), Kind.OTHER, math.nan),
        (lambda x, g: g * 0, Kind.MISSING, math.nan),
        (lambda x, g: None, Kind.MISSING, math.nan),
    ],
)
def test_a_backward_differs_in_one_of_four_ways(
    backward: Callable[..., Any], kind: Kind | None, factor: float
) -> None:
    """Or in none."""
    found = checked(made(torch.sin, backward))
    assert isinstance(found, list)
    assert [each.kind for each in found] == ([] if kind is None else [kind])
    for each in found:
        assert each.factor == pytest.approx(factor, abs=1e-3, nan_ok=True)
        assert each.applied.name_of(each.position) == "x"


def test_a_staircase_is_flat() -> None:
    """What its backward passes on is no derivative."""
    found = checked(made(torch.round, lambda x, g: g))
    assert isinstance(found, list)
    assert [each.kind for each in found] == [Kind.FLAT]


def test_one_element_that_is_wrong_is_found() -> None:
    """Where the others do not drown it."""
    wrong = torch.ones(5, 3)
    wrong[2, 1] = 1.3
    found = checked(made(torch.sin, lambda x, g: g * x.cos() * wrong))
    assert isinstance(found, list)
    assert [each.kind for each in found] == [Kind.OTHER]


def test_a_kink_at_the_inputs_is_left() -> None:
    """They are moved a little: there the backward is right."""
    assert checked(made(torch.abs, lambda x, g: g * x.sign()), torch.zeros(5, 3)) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.float64])
def test_types_are_made_wide(dtype: torch.dtype) -> None:
    """Complex numbers have the gradient that torch gives them."""
    x = torch.randn(4, dtype=dtype)
    assert checked(made(lambda x: x * x, lambda x, g: 2 * g * x.conj()), x) == []


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        (lambda x: x * (1 + torch.randint(9, ()).item() * 0) + next(NUMBERS), "do not settle"),
        (lambda x: _refuse(x), "raises TypeError: float32 only"),
    ],
)
def test_what_cannot_be_compared_says_why(forward: Callable[..., Any], why: str) -> None:
    """One that is noisy, and one that does not run again."""
    found = checked(made(forward, lambda x, g: g))
    assert isinstance(found, Unchecked)
    assert why in found.why


NUMBERS = (number * 0.731 % 1 for number in range(10**9))
CALLS: list[int] = []


def _refuse(x: Tensor) -> Tensor:
    CALLS.append(0)
    if len(CALLS) > 1:
        raise TypeError("float32 only")
    return x * 1


def test_random_numbers_are_the_same_in_each_call() -> None:
    """So that a dropout with a wrong factor is found, and one with a right one is not."""

    class Dropped(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
            ctx.kept = (torch.rand_like(x) > 0.5) * factor
            return x * ctx.kept / factor

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
            return grad * ctx.kept, None

    x = torch.ones(20, requires_grad=True)
    assert check(applied(Dropped, x, 1.0)) == []
    found = check(applied(Dropped, x, 2.0))
    assert isinstance(found, list)
    assert [(each.kind, round(each.factor, 3)) for each in found] == [(Kind.FACTOR, 2.0)]


def test_one_that_writes_to_its_input_is_not_compared() -> None:
    """What it was given is gone."""

    class InPlace(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return 2 * grad

    found = check(applied(InPlace, torch.ones(3, requires_grad=True) * 1))
    assert isinstance(found, Unchecked)
    assert "writes to what it is given" in found.why


def test_of_many_alike_some_are_kept() -> None:
    """A layer may apply a function a thousand times."""
    kind = made(torch.sin, lambda x, g: g * x.cos())
    x = torch.ones(2, requires_grad=True)
    with AppliedFunctions(Guard(), LeafKeys()) as functions:
        for _ in range(5):
            kind.apply(x)  # type: ignore[no-untyped-call]
        kind.apply(x)  # type: ignore[no-untyped-call]
        kind.apply(x.detach())  # type: ignore[no-untyped-call]
    assert len(functions.calls) == MOST_ALIKE + 1


def test_a_default_device_is_not_where_random_numbers_are_drawn() -> None:
    """Else what is compared would lie on two devices."""
    kind = made(torch.sin, lambda x, g: g * x.cos())
    x = torch.randn(5, 3)
    with torch.device("meta"):
        assert check(applied(kind, x.requires_grad_())) == []
