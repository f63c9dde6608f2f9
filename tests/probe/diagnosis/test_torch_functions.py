"""The kinds of torch functions, each held to what torch really does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gradgate.probe.diagnosis.torch_functions import (
    DETACHES,
    ENTERS_TORCH,
    FLAT,
    LEAVES_TORCH,
    NO_DERIVATIVE,
    PRODUCTS,
    SHAPE_OF_ALL,
    SHAPE_OF_OTHERS,
)

X = [[0.3, 1.7, -0.6], [0.2, -1.2, 0.9]]
TWO = frozenset({"gt", "lt", "ge", "le", "eq", "ne", "isclose", "heaviside"})
TWO |= {"logical_and", "logical_or", "logical_xor", "floor_divide"}
GIVEN: dict[str, Callable[[Tensor], object]] = {
    "searchsorted": lambda x: torch.searchsorted(torch.tensor([0.0, 1.0]), x.detach()),
    "bucketize": lambda x: torch.bucketize(x, torch.tensor([0.0, 1.0])),
    "one_hot": lambda x: F.one_hot(x.detach().long().abs()),
    "multinomial": lambda x: torch.multinomial(x.abs(), 1),
    "bernoulli": lambda x: torch.bernoulli(x.sigmoid()),
    "poisson": lambda x: torch.poisson(x.abs()),
    "fake_quantize_per_tensor_affine": lambda x: torch.fake_quantize_per_tensor_affine(
        x, 0.1, 0, 0, 3
    ),
}
UNLIKE = {"fake_quantize_per_tensor_affine"}
"""Its derivative is one inside of its range and zero outside; it is a staircase all the same."""


def applied(name: str, x: Tensor) -> Tensor:
    """Call the function of this name."""
    if name in GIVEN:
        made = GIVEN[name](x)
    else:
        function = getattr(torch, name, None) or getattr(Tensor, name)
        made = function(x, torch.ones_like(x)) if name in TWO else function(x)
    assert isinstance(made, Tensor)
    return made


def argument() -> Tensor:
    """What carries a gradient and may be written to."""
    return torch.tensor(X, requires_grad=True) * 1


NOT_IMPLEMENTED = {"floor_divide", "heaviside", "unique"}
"""Their results carry a node whose backward is an error."""


@pytest.mark.parametrize("name", sorted(NO_DERIVATIVE - FLAT - NOT_IMPLEMENTED - {"poisson"}))
def test_what_has_no_derivative_gives_no_graph(name: str) -> None:
    """Its result carries no gradient."""
    assert not applied(name, argument()).requires_grad


@pytest.mark.parametrize("name", sorted(NOT_IMPLEMENTED))
def test_what_has_no_derivative_may_fail_in_the_backward(name: str) -> None:
    """So it gives none."""
    assert name in NO_DERIVATIVE | FLAT
    with pytest.raises(RuntimeError, match="not implemented"):
        applied(name, argument()).sum().backward()


@pytest.mark.parametrize("name", sorted((FLAT | {"poisson"}) - UNLIKE - NOT_IMPLEMENTED))
def test_what_is_flat_gives_zeros(name: str) -> None:
    """It carries a gradient, which is zero everywhere."""
    x = torch.tensor(X, requires_grad=True)
    made = applied(name, x * 1)
    made.sum().backward()
    assert x.grad is not None
    assert not x.grad.any()


@pytest.mark.parametrize("name", sorted(SHAPE_OF_ALL))
def test_a_shape_carries_no_values(name: str) -> None:
    """What is made like a tensor has no gradient from it."""
    function = getattr(torch, name, None) or getattr(Tensor, name)
    more: dict[str, list[object]] = {
        "full_like": [1.0],
        "randint_like": [9],
        "new_full": [(2,), 1.0],
        "new_empty_strided": [(2,), (1,)],
    }
    shape = [(2,)] if name.startswith("new_") else []
    assert not function(argument(), *more.get(name, shape)).requires_grad


@pytest.mark.parametrize("name", sorted(SHAPE_OF_OTHERS - {"resize_as_"}))
def test_the_shape_of_another_carries_no_gradient_to_it(name: str) -> None:
    """Only the first tensor gets one."""
    first, second = (torch.ones(2, 2, requires_grad=True) for _ in range(2))
    getattr(first, name)(second).sum().backward()
    assert first.grad is not None
    assert second.grad is None


@pytest.mark.parametrize("name", sorted(DETACHES & {"detach", "detach_", "data", "__deepcopy__"}))
def test_a_detach_keeps_the_values_and_drops_the_past(name: str) -> None:
    """The result carries no gradient."""
    x = torch.tensor(X, requires_grad=True)
    made = getattr(x if name == "__deepcopy__" else x * 1, name)
    made = made if isinstance(made, Tensor) else made({}) if name == "__deepcopy__" else made()
    assert torch.equal(made, x)
    assert made.grad_fn is None


@pytest.mark.parametrize("name", ["mul", "matmul", "mm", "outer", "linear", "addmm", "bmm"])
def test_a_product_with_zeros_has_a_gradient_of_zeros(name: str) -> None:
    """For the other factor."""
    assert name in PRODUCTS
    function = getattr(torch, name, None) or getattr(F, name)
    zeros, x = torch.zeros(2, 2), torch.ones(2, 2, requires_grad=True)
    given = {
        "outer": (zeros[0], x.sum(0)),
        "addmm": (torch.ones(2, 2), zeros, x),
        "bmm": (zeros[None], x[None]),
    }
    function(*given.get(name, (zeros, x))).sum().backward()
    assert x.grad is not None
    assert not x.grad.any()


def test_what_leaves_torch_as_numbers_detaches() -> None:
    """And what makes tensors of numbers makes no graph of them."""
    assert {"__format__", "data_ptr"} == LEAVES_TORCH - DETACHES
    assert not ENTERS_TORCH & LEAVES_TORCH
