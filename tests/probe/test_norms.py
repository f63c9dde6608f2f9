"""Norms of many gradients at once."""

from __future__ import annotations

import math

import pytest
import torch

from gradgate.probe.norms import grad_maxima, grad_norms

FLOATING = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_norms_agree_with_float64(dtype: torch.dtype) -> None:
    """A norm is the float64 norm to the last bits of the type it is summed in."""
    torch.manual_seed(0)
    grads = [torch.randn(shape, dtype=torch.float64).to(dtype) for shape in [(3,), (7, 5), ()]]
    exact = [torch.linalg.vector_norm(grad.double()).item() for grad in grads]
    tolerance = 1e-14 if dtype is torch.float64 else 1e-6
    assert grad_norms(grads).tolist() == pytest.approx(exact, rel=tolerance)


@pytest.mark.parametrize("dtype", [*FLOATING, torch.complex64], ids=str)
def test_zero_is_exactly_zero(dtype: torch.dtype) -> None:
    """The norm is 0 for zeros only, not for elements whose squares underflow."""
    tiny = torch.full((4,), torch.finfo(dtype).tiny).to(dtype)
    zero, small = grad_norms([torch.zeros(4, dtype=dtype), tiny]).tolist()
    assert zero == 0
    assert small == pytest.approx(2 * torch.finfo(dtype).tiny, rel=1e-3)


@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_large_elements_stay_finite(dtype: torch.dtype) -> None:
    """Finite elements whose squares overflow have a finite norm."""
    largest = torch.finfo(dtype).max
    value = grad_norms([torch.full((1,), largest, dtype=dtype)]).item()
    assert value == pytest.approx(largest)


def test_a_norm_above_every_float_stays_finite() -> None:
    """Where even the norm overflows float64 it is the largest float: no element is infinite."""
    grad = torch.full((9,), torch.finfo(torch.float64).max, dtype=torch.float64)
    assert math.isfinite(grad_norms([grad]).item())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nonfinite_elements_make_the_norm_nonfinite(bad: float) -> None:
    """One NaN or infinity anywhere shows, and does not touch the neighbours."""
    norms = grad_norms([torch.ones(4), torch.tensor([1.0, bad, 2.0])])
    assert norms[0].item() == 2
    assert not math.isfinite(norms[1].item())


def test_maxima_are_the_largest_magnitudes() -> None:
    """The maximum of a gradient is exact, sign dropped."""
    assert grad_maxima([torch.tensor([1.0, -3.0]), torch.zeros(2)]).tolist() == [3.0, 0.0]
