"""Norms of many gradients at once."""

from __future__ import annotations

import math
import resource

import pytest
import torch

from gradgate.probe.measure.norms import PIECE, grad_maxima, grad_norm, grad_norms, lie_between
from gradgate.probe.measure.stacks import LEAST_STACK, SMALL, STACK_ELEMENTS

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
    tiny = torch.full((4,), torch.finfo(dtype).tiny, dtype=dtype)
    zero, small = grad_norms([torch.zeros(4, dtype=dtype), tiny]).tolist()
    assert zero == 0
    # By itself approx takes all below 1e-12 for equal.
    assert small == pytest.approx(2 * torch.finfo(dtype).tiny, rel=1e-3, abs=0)


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


def mixed_grads(dtype: torch.dtype) -> list[torch.Tensor]:
    """Gradients of many shapes in mixed order: in one stack, in several, or alone."""
    torch.manual_seed(0)
    stacked = [(32, 32), (32,), (4, 8), (), (1,)] * LEAST_STACK
    chunked = [(SMALL,)] * (STACK_ELEMENTS // SMALL + 2)
    alone = [(SMALL + 1,), (7, 5)]
    shapes = [*stacked, *alone, *chunked, *alone, *stacked]
    return [torch.randn(s, dtype=dtype) * 2 ** (i % 7) for i, s in enumerate(shapes)]


@pytest.mark.parametrize("dtype", [*FLOATING, torch.complex64, torch.complex128], ids=str)
def test_stacked_norms_agree_with_float64_in_order(dtype: torch.dtype) -> None:
    """Each of many small gradients of mixed shapes gets its own norm, in the order given."""
    grads = mixed_grads(dtype)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    exact = [torch.linalg.vector_norm(grad.to(wide)).item() for grad in grads]
    tolerance = {torch.float64: 1e-14, torch.complex128: 1e-14}
    assert grad_norms(grads).tolist() == pytest.approx(exact, rel=tolerance.get(dtype, 1e-6))


@pytest.mark.parametrize("dtype", [*FLOATING, torch.complex64], ids=str)
def test_stacked_maxima_are_exact_in_order(dtype: torch.dtype) -> None:
    """Each of many gradients of mixed shapes gets its own largest magnitude, in the order given."""
    grads = mixed_grads(dtype)
    exact = [grad.abs().max().item() for grad in grads]
    assert grad_maxima(grads).tolist() == pytest.approx(exact, rel=1e-7 if dtype.is_complex else 0)


@pytest.mark.parametrize("elements", [5, SMALL + 1], ids=["stacked", "alone"])
@pytest.mark.parametrize("dtype", FLOATING, ids=str)
def test_verdicts_among_many_are_exact(dtype: torch.dtype, elements: int) -> None:
    """Among equals only zeros have the norm 0, and only non-finite elements a non-finite norm."""
    limits = torch.finfo(dtype)
    fills = [0.0, -0.0, limits.smallest_normal, limits.max, -1.0]
    grads = [torch.full((elements,), fill, dtype=dtype) for fill in fills * LEAST_STACK]
    for bad in (math.nan, math.inf, -math.inf):
        grads.append(torch.ones(elements, dtype=dtype))
        grads[-1][2] = bad
    norms, maxima = grad_norms(grads), grad_maxima(grads)
    zero = [not grad.any() for grad in grads]
    finite = [bool(torch.isfinite(grad).all()) for grad in grads]
    for figures in (norms, maxima):
        assert (figures == 0).tolist() == zero
        assert torch.isfinite(figures).tolist() == finite
    assert maxima[:-3].tolist() == [abs(grad[0].item()) for grad in grads[:-3]]
    assert math.isnan(maxima[-3])
    assert maxima[-2:].tolist() == [math.inf, math.inf]


def test_complex_norms_beyond_the_squares_of_float32_are_exact() -> None:
    """Both parts count, where they are tiny or large."""
    grads = [torch.full((2,), size * (3 + 4j), dtype=torch.complex64) for size in (1e-30, 1e25)]
    for each in (grads, grads * LEAST_STACK):
        exact = [torch.linalg.vector_norm(grad.to(torch.complex128)).item() for grad in each]
        assert grad_norms(each).tolist() == pytest.approx(exact, rel=1e-6)


LARGE = [
    torch.float32,
    torch.float64,
    torch.bfloat16,
    torch.float16,
    torch.complex64,
    torch.complex128,
]


@pytest.mark.parametrize("dtype", LARGE, ids=str)
def test_norms_of_millions_agree_with_float64(dtype: torch.dtype) -> None:
    """Rounding does not add up with the elements, in whatever order they lie, and none is lost.

    A float32 sum of all of them is off by 8e-5.
    """
    torch.manual_seed(0)
    rows = torch.randn(1500, 2900, dtype=dtype)
    conjugate = rows.conj() if dtype.is_complex else rows.neg()
    grads = [rows, torch.ones(3, dtype=dtype), rows.t(), conjugate, rows.view(-1)[1:]]
    wide = torch.complex128 if dtype.is_complex else torch.float64
    exact = [torch.linalg.vector_norm(grad.to(wide)).item() for grad in grads]
    tolerance = {torch.float64: 1e-12, torch.complex128: 1e-12, torch.bfloat16: 4e-5}
    assert grad_norms(grads).tolist() == pytest.approx(exact, rel=tolerance.get(dtype, 1.5e-5))


def test_a_large_gradient_with_gaps_is_not_copied() -> None:
    """One element may stand for more than there is memory for: it is measured where it is."""
    alone = torch.full((1,), 3.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert grad_norms([alone.expand(2**28)]).item() > 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 2**18


@pytest.mark.parametrize("odd", [0.0, math.nan, math.inf, -math.inf, 1e-30, 1e30, 1e-42])
@pytest.mark.parametrize("place", [0, PIECE - 1, PIECE, 2 * PIECE])
def test_one_element_of_a_large_gradient_decides(odd: float, place: int) -> None:
    """What is not zero or not finite shows in the piece that has it, whichever that is."""
    grad = torch.zeros(2 * PIECE + 1)
    grad[place] = odd
    expected = abs(float(grad[place]))
    norm = grad_norms([torch.ones(4), grad])[1].item()
    if math.isfinite(expected):
        assert norm == pytest.approx(expected, rel=1e-6, abs=0)
    else:
        assert not math.isfinite(norm)


@pytest.mark.parametrize(("elements", "filled"), [(7, 5), (PIECE + 7, 5), (PIECE + 7, 0)])
def test_the_norm_of_a_mostly_zero_tensor_is_differentiable_twice(
    elements: int, filled: int
) -> None:
    """Where all elements are zeros, and beside one that is not, no slope is NaN."""
    values = torch.zeros(elements)
    values[:filled] = torch.arange(1.0, filled + 1)
    values.requires_grad_()
    (slope,) = torch.autograd.grad(grad_norm(values), values, create_graph=True)
    (curve,) = torch.autograd.grad(slope[0] + slope[-1], values)
    assert torch.isfinite(slope).all()
    assert torch.isfinite(curve[:5]).all()
    if filled:
        exact = values.detach().double().requires_grad_()
        (want,) = torch.autograd.grad(exact.norm(), exact, create_graph=True)
        (bend,) = torch.autograd.grad(want[0] + want[-1], exact)
        assert torch.allclose(slope.double(), want, rtol=1e-5, atol=1e-7)
        assert torch.allclose(curve.double(), bend, rtol=1e-5, atol=1e-7)


def test_the_norm_of_a_large_tensor_is_differentiable() -> None:
    """The gradient of the norm is the tensor over its norm, with pieces or without."""
    torch.manual_seed(0)
    for shape in [(3, 5), (PIECE + 3, 2)]:
        values = torch.randn(shape, requires_grad=True)
        norm = grad_norm(values)
        (slope,) = torch.autograd.grad(norm, values)
        exact = values.detach().double()
        assert norm.item() == pytest.approx(exact.norm().item(), rel=4e-6)
        assert torch.allclose(slope.double(), exact / exact.norm(), rtol=1e-5, atol=0)


def test_strides_do_not_matter() -> None:
    """A gradient in another memory order, stacked or not, is measured like any other."""
    torch.manual_seed(0)
    images = torch.randn(LEAST_STACK, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d)
    large = torch.randn(80, 90).t()
    grads = [*images.unbind(), large]
    exact = [torch.linalg.vector_norm(grad.double()).item() for grad in grads]
    assert grad_norms(grads).tolist() == pytest.approx(exact, rel=1e-6)
    assert grad_maxima(grads).tolist() == [grad.abs().max().item() for grad in grads]


def test_norms_are_taken_where_the_gradients_are() -> None:
    """The device that a script has made its default is not where gradients on the CPU go."""
    grads = [torch.full((4,), float(i)) for i in range(1, LEAST_STACK + 1)]
    with torch.device("meta"):
        assert grad_norms(grads).tolist() == [2.0 * i for i in range(1, LEAST_STACK + 1)]


def test_norms_are_taken_inside_a_transform() -> None:
    """As a gate takes them, where gradients are asked for by torch.func."""
    seen: list[float] = []

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = 2 * x
        y.register_hook(lambda grad: seen.append(grad_norms([grad.detach()]).item()))
        return y.square().sum()

    torch.func.grad(loss)(torch.tensor([0.75, 1.0]))
    assert seen == [5.0]


@pytest.mark.parametrize("count", [1, 3, 3000])
@pytest.mark.parametrize("odd", [math.nan, 0.0, 1.0, -1.0, math.inf, -math.inf])
def test_one_figure_at_a_limit_is_noticed_among_all(count: int, odd: float) -> None:
    """Wherever it stands, and however many there are; a NaN lies between no limits."""
    figures = torch.full((count,), 0.5, dtype=torch.float64)
    assert lie_between(figures, 0.0, 1.0)
    for place in {0, count // 2, count - 1}:
        other = figures.clone()
        other[place] = odd
        assert not lie_between(other, 0.0, 1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("count", [2, LEAST_STACK])
def test_norms_are_those_of_one_gradient_after_the_other_to_the_bit(
    dtype: torch.dtype, count: int
) -> None:
    """In the precision of float32 at least, whether a call is told of it or not."""
    grads = [torch.randn(7, 5, dtype=dtype) for _ in range(count)]
    wide = torch.promote_types(dtype, torch.float32)
    alone = [torch.linalg.vector_norm(grad.to(wide), dtype=wide) for grad in grads]
    assert torch.equal(grad_norms(grads), torch.stack(alone).double())
