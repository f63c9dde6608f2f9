"""Norms of many gradients at once, exact enough to tell zero and non-finite.

A float32 L2 norm of exactly 0 or of infinity is not yet a verdict: the squares of
elements below about 1e-19 underflow and above about 1e19 overflow. On the CPU the few
gradients with such a norm are measured again, by their largest magnitude first. On an
accelerator, where looking would stall the training stream, the sum of squares is taken
in float64 from the start: a float32 squared can neither underflow nor overflow there.

On the CPU the multi-tensor call is a loop that costs about 2 µs a tensor and, for maxima,
2.7 ns an element. So small gradients of one shape are stacked and reduced by one call, and
the maxima of the others are taken one by one. It adds the squares of one gradient in float32 and
in few lanes, so that rounding adds up with the elements: to 1.7e-3 of the norm at 30 million, and
to 1e-5 at ``PIECE``. So a larger one is taken in pieces, whose norms are put together; of a type of
16 bits that is also quicker, for such a call first makes a float32 copy of all.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import Tensor

from ..torch_compat.foreach import foreach_norm
from .memory_order import in_memory_order
from .stacks import Stacks

PIECE = 2**20
"""Elements of which the squares are added up in float32, at most: most weights have fewer."""


def grad_norms(grads: list[Tensor], stacks: Stacks | None = None) -> Tensor:
    """Return the L2 norms of ``grads``: float64 [len(grads)], on their device.

    All gradients are dense, have at least one element and share a device and a dtype.
    A norm is 0 exactly when every element is, and not finite exactly when an element is. On
    an accelerator that holds within the range of the sum: for elements of 1e-162 to 1e154,
    or, on Apple's devices, which have no float64, of 1e-19 to 1e19. One multi-tensor call,
    and no synchronisation on an accelerator. ``stacks``: theirs, if they are known already.
    """
    norms = quick_norms(grads, stacks)
    if not norms.is_cpu:
        return norms
    return norms.double() if lie_between(norms, 0.0, math.inf) else careful_norms(grads, norms)


def quick_norms(grads: list[Tensor], stacks: Stacks | None = None) -> Tensor:
    """Return what :func:`grad_norms` does; on the CPU one of 0 or infinity is no verdict yet.

    There they are of the type that they are computed in: float32, or float64 of such gradients.
    """
    if grads[0].is_complex():
        grads = _real(grads)
    dtype = grads[0].dtype
    if not grads[0].is_cpu:
        # float64 on every device but Apple's, which has none.
        wide = torch.float32 if grads[0].device.type == "mps" else torch.float64
        total = torch.promote_types(dtype, wide)
        return torch.stack(foreach_norm(grads, 2, dtype=total)).to(wide)
    wide = torch.promote_types(dtype, torch.float32)
    # The same figures come of no dtype where it is that of the gradients, 3 µs a tensor sooner.
    asked = None if wide is dtype else wide
    return _reduce(
        grads,
        stacks,
        lambda rows: torch.linalg.vector_norm(rows, dim=1, dtype=asked),
        lambda alone: _lone_norms(alone, asked),
    )


def careful_norms(grads: list[Tensor], norms: Tensor) -> Tensor:
    """Return :func:`grad_norms` of gradients on the CPU, of which the quick ones are known."""
    norms = norms.double()
    suspects = ((norms == 0) | torch.isinf(norms)).nonzero().flatten().tolist()
    if suspects:  # where there is only a NaN there are none
        chosen = [grads[i] for i in suspects]
        norms[suspects] = _careful_norms(_real(chosen) if chosen[0].is_complex() else chosen)
    return norms


def _real(grads: Sequence[Tensor]) -> list[Tensor]:
    """Return complex ones as pairs: torch adds their squares one by one, 20 times as slowly."""
    return [torch.view_as_real(grad.resolve_conj()) for grad in grads]


def grad_norm(values: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Return the L2 norm of all elements, [], such that it can be differentiated, also twice.

    ``dtype``: to add up the squares in; one that underflows counts as 0, and one that overflows as
    infinite.
    """
    if values.device.type != "cpu" or values.numel() <= PIECE:
        norm: Tensor = torch.linalg.vector_norm(values, dtype=dtype)
        return norm
    real = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    # A sum is by halves, in which rounding does not add up; of no square at all it has no slope.
    squares = real.to(dtype or real.dtype).square().sum()
    return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()


def lie_between(values: Tensor, least: float, largest: float) -> bool:
    """Return whether all of some values on the CPU do, the limits excluded; NaN does not.

    By torch: inside a transform of torch.func, where a gate may ask, nothing else can read them.
    """
    low, high = torch.aminmax(values)
    # Numbers are compared in less time than tensors.
    return least < low.item() and high.item() < largest


def grad_maxima(grads: list[Tensor], stacks: Stacks | None = None) -> Tensor:
    """Return the largest magnitudes of the elements: float64 [len(grads)], on their device.

    A gradient with a NaN has the maximum NaN.
    """
    if grads[0].is_cpu and not grads[0].dtype.is_complex:
        return _reduce(grads, stacks, _row_maxima, _lone_maxima).double()
    maxima = torch.stack(foreach_norm(grads, float("inf")))
    return maxima.to(torch.float32 if maxima.device.type == "mps" else torch.float64)


def _reduce(
    grads: list[Tensor],
    stacks: Stacks | None,
    reduce_rows: Callable[[Tensor], Tensor],
    reduce_alone: Callable[[list[Tensor]], Tensor],
) -> Tensor:
    """One figure a gradient, in order: small ones by rows of a stack, the rest alone."""
    if len(grads) == 1:  # a gate's, in the midst of a backward
        return reduce_alone(grads)
    if stacks is None:
        stacks = Stacks([grad.shape for grad in grads])
    return stacks.reduce(grads, reduce_rows, reduce_alone)


def _row_maxima(rows: Tensor) -> Tensor:
    return torch.maximum(rows.amax(1).abs(), rows.amin(1).abs())


def _lone_maxima(grads: list[Tensor]) -> Tensor:
    # Without a dim this is one vectorised pass; with one, and for the norm, it is not.
    least, largest = zip(*(torch.aminmax(grad) for grad in grads), strict=True)
    return torch.maximum(torch.stack(largest).abs(), torch.stack(least).abs())


def _lone_norms(grads: list[Tensor], dtype: torch.dtype | None) -> Tensor:
    """Return the norms of gradients by their pieces, [grads]; ``dtype``: to sum a piece in."""
    if max(map(Tensor.numel, grads)) <= PIECE:
        return torch.stack(foreach_norm(grads, 2, dtype=dtype))
    pieces = [_pieces(grad) for grad in grads]
    norms = torch.stack(foreach_norm([*chain(*pieces)], 2, dtype=dtype))
    return torch.stack([torch.linalg.vector_norm(own) for own in norms.split([*map(len, pieces)])])


def _pieces(grad: Tensor) -> Sequence[Tensor]:
    """Return what has all elements of a gradient: ``PIECE`` each at most, where it has no gaps."""
    if grad.numel() <= PIECE:
        return (grad,)
    ordered = in_memory_order(grad)
    if not ordered.is_contiguous():  # to copy what leaves gaps might take more than there is
        return (grad,)
    pieces: Sequence[Tensor] = ordered.view(-1).split(PIECE)
    return pieces


def _careful_norms(grads: list[Tensor]) -> Tensor:
    """L2 norms by way of the largest magnitude m, as m * ||g / m||: no over- or underflow."""
    maxima = grad_maxima(grads)
    norms = maxima.clone()
    rest = (torch.isfinite(maxima) & (maxima > 0)).nonzero().flatten().tolist()
    if rest:
        scaled = [grads[i].double() / maxima[i] for i in rest]
        exact = torch.stack(foreach_norm(scaled)) * maxima[rest]
        norms[rest] = exact.clamp(max=sys.float_info.max)
    return norms
