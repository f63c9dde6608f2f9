"""The norm of many gradients together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard

from gradgate.probe.measure.total_norm import TotalNorm


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Parameters, each with a gradient."""
    made: list[Tensor] = []
    for shape in shapes:
        parameter = nn.Parameter(torch.zeros(shape, dtype=dtype))
        parameter.grad = torch.randn(shape, dtype=dtype)
        made.append(parameter)
    return made


def total(norms: list[Tensor]) -> float:
    """The norm of all together."""
    return math.hypot(*(norm.item() for norm in norms))


def expected(given: list[Tensor]) -> float:
    """By float64, element by element."""
    squares = [each.grad.abs().double().square().sum() for each in given if each.grad is not None]
    return math.sqrt(sum(square.item() for square in squares))


def test_the_meta_device_has_none() -> None:
    """Alone, and beside gradients with numbers."""
    empty, full = nn.Parameter(torch.zeros(2, device="meta")), parameters((3,))
    empty.grad = torch.zeros(2, device="meta")
    assert TotalNorm([empty]).measure() == []
    assert total(TotalNorm([empty, *full]).measure()) == pytest.approx(expected(full))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex64])
def test_it_is_that_of_all_elements(dtype: torch.dtype) -> None:
    """Of many small and some large gradients, step after step."""
    given = parameters(*[(3, 4)] * 20, (100, 100), (5,), dtype=dtype)
    norm = TotalNorm(given)
    for _ in range(2):
        assert total(norm.measure()) == pytest.approx(expected(given), rel=1e-3)
        for each in given:
            each.grad = torch.randn_like(each)


def test_gradients_that_are_not_there_are_left_out() -> None:
    """Whichever they are in a step, and all of them."""
    given = parameters((2, 2), (3,), (4,))
    norm = TotalNorm(given)
    for place in (0, 2, 1):
        given[place].grad = None
        assert total(norm.measure()) == pytest.approx(expected(given))
    assert norm.measure() == []
    assert TotalNorm([]).measure() == []


def test_several_types_make_a_norm_each() -> None:
    """And an empty parameter and one without a shape are passed over."""
    given = [*parameters((4,)), *parameters((3, 3), dtype=torch.float64), *parameters((0, 2))]
    norms = TotalNorm([*given, nn.UninitializedParameter()]).measure()
    assert len(norms) == 2
    assert total(norms) == pytest.approx(expected(given))


def test_a_sparse_gradient_counts_with_its_values() -> None:
    """Indexes that are there twice are one row."""
    given = parameters((4,), (10, 2))
    rows = torch.tensor([[1, 1, 5]])
    given[1].grad = torch.sparse_coo_tensor(rows, torch.ones(3, 2), (10, 2), check_invariants=False)
    dense = given[1].grad.to_dense()
    assert total(TotalNorm(given).measure()) == pytest.approx(
        math.hypot(given[0].grad.norm().item(), dense.norm().item())  # type: ignore[union-attr]
    )


@pytest.mark.usefixtures("alone")
def test_of_a_sharded_gradient_it_is_this_process_own_part() -> None:
    """Plain, so that no rank has to ask another."""
    model = nn.Linear(4, 3)
    fully_shard(model)
    model(torch.randn(5, 4)).square().mean().backward()
    (norm,) = TotalNorm(list(model.parameters())).measure()
    assert type(norm) is Tensor
    parts = [each.grad.to_local() for each in model.parameters()]  # type: ignore[union-attr]
    assert norm.item() == pytest.approx(math.hypot(*(part.norm().item() for part in parts)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_element_is_enough(bad: float) -> None:
    """The norm is not finite."""
    given = parameters((4,), (10, 2))
    given[1].grad[3, 1] = bad  # type: ignore[index]
    assert not math.isfinite(total(TotalNorm(given).measure()))


def test_it_neither_overflows_nor_underflows() -> None:
    """A tiny gradient is not zero, and a large one is finite."""
    for size in (1e-30, 1e30):
        given = parameters((4,))
        given[0].grad = torch.full((4,), size)
        assert total(TotalNorm(given).measure()) == pytest.approx(2 * size)
