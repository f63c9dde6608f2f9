"""Counts by sign and magnitude, against counts in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from gradgate.probe.measure.histogram import MOST_NORMS, PendingDistribution
from gradgate.probe.model.distribution import Distribution

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64]
INTEGERS = [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.uint16]


def distribution(tensor: Tensor, **known: bool) -> Distribution:
    return PendingDistribution(tensor, **known).read()


def total(found: Distribution) -> int:
    """All counts together."""
    apart = found.zeros + found.nan + found.posinf + found.neginf
    return apart + sum(found.negative) + sum(found.positive)


def odd_numbers(dtype: torch.dtype) -> Tensor:
    """Numbers of many magnitudes, with powers of two, their neighbours, and what is no number."""
    generator = torch.Generator().manual_seed(0)
    # Two pieces of what is counted at a time, and a rest.
    spread = torch.randn(2**18 + 77, 2, generator=generator, dtype=torch.float64)
    numbers = torch.exp2(spread[:, 0] * 3 - 6) * spread[:, 1].sign()
    powers = torch.exp2(torch.arange(-13, 14, dtype=torch.float64)).to(torch.float32)
    edges = torch.cat(
        [powers, torch.nextafter(powers, powers * 0), torch.nextafter(powers, powers * 4)]
    )
    odd = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf, -torch.nan, torch.inf])
    return torch.cat([numbers.to(dtype), edges.to(dtype), (-edges).to(dtype), odd.to(dtype)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_counts_are_those_of_numpy_in_float64(dtype: torch.dtype) -> None:
    """To the last one, at the very edges of octaves too; nothing is counted twice or left out."""
    tensor = odd_numbers(dtype)
    found = distribution(tensor)
    real = (tensor.abs() if tensor.is_complex() else tensor).double().numpy()
    assert total(found) == found.numel == len(real)
    assert found.zeros == np.count_nonzero(real == 0)
    assert found.nan == np.count_nonzero(np.isnan(real))
    assert found.posinf == np.count_nonzero(np.isposinf(real))
    assert found.neginf == np.count_nonzero(np.isneginf(real))
    edges = np.exp2(np.arange(found.first, found.first + len(found.positive) + 1))
    finite = real[np.isfinite(real)]
    for sign, counts in ((1, found.positive), (-1, found.negative)):
        expected, _ = np.histogram(sign * finite[sign * finite > 0], edges)
        # The last bin of numpy is closed above, where nothing is.
        assert list(counts) == expected.tolist()
    assert found.negative[0] + found.positive[0] > 0
    assert found.negative[-1] + found.positive[-1] > 0


def test_counts_are_those_of_torch() -> None:
    """Of magnitudes, with the edges of the octaves as bins."""
    values = torch.randn(1000, dtype=torch.float64)
    found = distribution(values)
    edges = torch.exp2(torch.arange(found.first, found.first + len(found.positive) + 1)).double()
    expected, _ = torch.histogram(values.abs(), edges)
    both = np.add(found.positive, found.negative)
    assert both.tolist() == expected.tolist()


def test_subnormal_numbers_are_counted_below_the_smallest_normal_one() -> None:
    """And are no zeros."""
    found = distribution(torch.tensor([1e-45, -1e-39, 0.0, 2.0**-126]))
    assert (found.first, found.positive, found.negative) == (-127, [1, 1], [1, 0])
    assert found.zeros == 1


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), ()])
def test_a_tensor_of_no_or_one_element_has_a_distribution(shape: tuple[int, ...]) -> None:
    """With nothing in it, and no rows."""
    found = distribution(torch.zeros(shape))
    assert found.numel == found.zeros == torch.zeros(shape).numel()
    assert (found.positive, found.negative, found.rows) == ([], [], None)


def test_what_a_sparse_tensor_leaves_out_is_zeros() -> None:
    """They count as numbers of it."""
    found = PendingDistribution(torch.ones(2, 3), absent=12, rows=False).read()
    assert (found.numel, found.zeros, sum(found.positive), found.nan) == (18, 12, 6, 0)
    assert found.rows is None


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_are_counted_as_what_they_are(dtype: torch.dtype) -> None:
    """With the norms of their rows; at the edge of an octave a float32 would round large ones."""
    largest = 1 if dtype is torch.bool else min(torch.iinfo(dtype).max, 2**52 - 1)
    found = distribution(torch.tensor([[0, 1], [largest, 1]], dtype=torch.int64).to(dtype))
    assert found.rows is not None
    assert (found.zeros, sum(found.positive)) == (1, 3)
    assert found.first + len(found.positive) == largest.bit_length()
    assert found.rows.norms == pytest.approx([1, np.hypot(largest, 1)])


@pytest.mark.parametrize(
    ("dtype", "magnitude"),
    [
        *product([torch.float64, torch.complex128], [1e-200, 1e-300, 1e200, 3e-39, 2e38]),
        *product([torch.float32], [3e-39, 2e38]),
    ],
    ids=str,
)
def test_norms_of_rows_neither_vanish_nor_overflow(dtype: torch.dtype, magnitude: float) -> None:
    """Though the squares of their numbers do."""
    rows = distribution(torch.tensor([[magnitude, magnitude], [0, 0]], dtype=dtype)).rows
    assert rows is not None
    assert rows.zero == 1
    assert rows.norms == pytest.approx([magnitude * 2**0.5, 0], rel=1e-5, abs=0)


def test_a_sample_is_even_and_says_of_how_many_it_is() -> None:
    """The zeros that a sparse tensor leaves out are in it by their share, and the turn moves it."""
    numbers = torch.exp2(torch.arange(1000.0).remainder(10)).reshape(100, 10)
    for turn in range(3):
        found = PendingDistribution(numbers, absent=500, most=300, turn=turn).read()
        assert total(found) == found.numel
        assert (found.sample_of, found.rows) == (1500, None)
        # Every seventh number: each octave has its tenth of them.
        assert set(found.positive) <= {14, 15}
        assert found.zeros == 500 * sum(found.positive) // 1000
    assert PendingDistribution(numbers, most=1000).read().sample_of is None


def test_a_sample_costs_no_more_where_a_tensor_leaves_gaps_in_memory() -> None:
    """This one would not fit into any memory if it were copied; the sample of it is as even."""
    numbers = torch.tensor([1.0, 2.0, 4.0, 8.0]).expand(2**20, 2**16, 4)
    found = PendingDistribution(numbers, most=1000, turn=1).read()
    assert found.sample_of == numbers.numel()
    assert found.numel == total(found) > 990
    assert max(found.positive) - min(found.positive) <= 1


def test_a_tensor_in_another_order_of_memory_is_counted_whole() -> None:
    """A transposed one, and one that leaves gaps; rows are those of its first dimension."""
    numbers = torch.arange(1.0, 13).reshape(3, 4)
    for tensor in (numbers.t(), numbers[:, ::2], numbers.expand(2, 3, 4)):
        found, plain = distribution(tensor), distribution(tensor.contiguous())
        assert found == plain


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float8_e4m3fn], ids=str)
def test_rows_have_their_norms(dtype: torch.dtype) -> None:
    """Of a convolution's weight they are its output channels; zero ones are counted."""
    weight = torch.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2).to(dtype)
    weight[0] = 0
    rows = distribution(weight).rows
    assert rows is not None
    norm = weight[1].to(torch.complex128).norm().item()
    assert (rows.count, rows.zero, rows.norms) == (2, 1, pytest.approx([0, norm.real]))


def test_of_many_rows_neighbours_are_put_together() -> None:
    """The largest stands for them, and the last run may be shorter."""
    matrix = torch.ones(2 * MOST_NORMS + 3, 1) * torch.arange(2 * MOST_NORMS + 3).unsqueeze(1)
    rows = distribution(matrix).rows
    assert rows is not None
    assert rows.count == 2 * MOST_NORMS + 3
    assert rows.norms[:2] == [2, 5]
    assert rows.norms[-1] == 2 * MOST_NORMS + 2
    assert len(rows.norms) <= MOST_NORMS
    assert rows.zero == 1


def test_a_norm_that_is_not_finite_crosses_as_null() -> None:
    """The others are told all the same."""
    rows = distribution(torch.tensor([[torch.nan, 1.0], [3.0, 4.0]])).rows
    assert rows is not None
    assert rows.as_message() == {"count": 2, "zero": 0, "norms": [None, 5.0]}
