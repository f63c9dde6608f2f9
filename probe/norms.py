"""Norms of many gradients at once, exact enough to tell zero and non-finite.

A float32 L2 norm of exactly 0 or of infinity is not yet a verdict: the squares of
elements below about 1e-19 underflow and above about 1e19 overflow. On the CPU the few
gradients with such a norm are measured again, by their largest magnitude first. On an
accelerator, where looking would stall the training stream, the sum of squares is taken
in float64 from the start: a float32 squared can neither underflow nor overflow there.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor


def grad_norms(grads: list[Tensor]) -> Tensor:
    """Return the L2 norms of ``grads``: float64 [len(grads)], on their device.

    All gradients are dense, have at least one element and share a device and a dtype.
    A norm is 0 exactly when every element is, and not finite exactly when an element is. On
    an accelerator that holds within the range of the sum: for elements of 1e-162 to 1e154,
    or, on Apple's devices, which have no float64, of 1e-19 to 1e19. One multi-tensor call,
    and no synchronisation on an accelerator.
    """
    dtype = grads[0].dtype
    if grads[0].device.type != "cpu":
        # float64 on every device but Apple's, which has none.
        wide = torch.float32 if grads[0].device.type == "mps" else torch.float64
        return torch.stack(torch._foreach_norm(grads, 2, dtype=_wide(dtype, wide))).to(wide)
    norms = torch.stack(torch._foreach_norm(grads, 2, dtype=_wide(dtype, torch.float32))).double()
    suspects = ((norms == 0) | torch.isinf(norms)).nonzero().flatten().tolist()
    if suspects:
        norms[suspects] = _careful_norms([grads[i] for i in suspects])
    return norms


def grad_maxima(grads: list[Tensor]) -> Tensor:
    """Return the largest magnitudes of the elements: float64 [len(grads)], on their device.

    A gradient with a NaN has the maximum NaN.
    """
    maxima = torch.stack(torch._foreach_norm(grads, float("inf")))
    return maxima.to(torch.float32 if maxima.device.type == "mps" else torch.float64)


def _wide(dtype: torch.dtype, least: torch.dtype) -> torch.dtype:
    """The dtype to sum in: ``least`` or, when the gradients have it, float64."""
    real = torch.empty(0, dtype=dtype).real.dtype if dtype.is_complex else dtype
    wide = torch.promote_types(real, least)
    if dtype.is_complex:
        return torch.promote_types(wide, torch.complex64)
    return wide


def _careful_norms(grads: list[Tensor]) -> Tensor:
    """L2 norms by way of the largest magnitude m, as m * ||g / m||: no over- or underflow."""
    maxima = grad_maxima(grads)
    norms = maxima.clone()
    rest = (torch.isfinite(maxima) & (maxima > 0)).nonzero().flatten().tolist()
    if rest:
        wide = _wide(grads[0].dtype, torch.float64)
        scaled = [grads[i].to(wide) / maxima[i] for i in rest]
        exact = torch.stack(torch._foreach_norm(scaled)) * maxima[rest]
        norms[rest] = exact.clamp(max=sys.float_info.max)
    return norms
