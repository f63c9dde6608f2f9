"""How large what a tensor holds is."""

from __future__ import annotations

import math

import pytest
import torch

from gradgate.probe.measure.magnitude import LARGE, magnitude, measured, read, state_word


def freed(tensor: torch.Tensor) -> torch.Tensor:
    """Give the memory of a tensor back, as shards of models do between uses of the whole."""
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.parametrize("size", [1, 7, LARGE - 1, LARGE, LARGE + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_largest_magnitude_is_exact(size: int, dtype: torch.dtype) -> None:
    """Of a negative and a positive extreme the larger counts, in both ways to compute it."""
    tensor = torch.zeros(size, dtype=dtype)
    tensor[-1] = -3
    assert measured(tensor) == 3
    tensor[0] = 5
    assert measured(tensor) == 5


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_wins(size: int, bad: float) -> None:
    """A NaN or an infinity among numbers is never lost."""
    tensor = torch.ones(size)
    tensor[size // 2] = bad
    largest = measured(tensor)
    assert isinstance(largest, float)
    assert not math.isfinite(largest)
    assert state_word(largest) == "nonfinite"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(0),
        torch.ones(3, dtype=torch.int64),
        torch.ones(3, device="meta"),
        torch.eye(3).to_sparse(),
        torch.ones(3).to(torch.float8_e4m3fn),
        freed(torch.ones(3)),
        freed(torch.ones(100, 100)[1:]),
    ],
    ids=["empty", "integers", "meta", "sparse", "eight bits", "freed", "a part of what is freed"],
)
def test_what_has_no_magnitude_has_none(tensor: torch.Tensor) -> None:
    """None is not 0: nothing is claimed of what cannot be measured."""
    assert magnitude(tensor) is None
    assert measured(tensor) is None


def test_states_of_sizes() -> None:
    """Exactly 0 is zero, and the smallest number is not."""
    words = [state_word(size) for size in (0.0, 5e-324, math.inf)]
    assert words == ["zero", "present", "nonfinite"]


def test_sizes_of_several_dtypes_are_read_in_their_order() -> None:
    """One copy for each dtype must not change whose figure is whose."""
    sizes = [torch.tensor(float(n), dtype=(torch.float32, torch.float64)[n % 2]) for n in range(6)]
    assert read(sizes) == [0, 1, 2, 3, 4, 5]
