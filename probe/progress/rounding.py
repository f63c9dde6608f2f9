"""How large an optimizer's update is, against the spacing of floats at the weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from ..torch_compat.tensors import wraps_others
from .learning_rates import rate_of


@dataclass(frozen=True)
class UpdateSize:
    """How large an update is, in half spacings of floats of some type at the weights.

    Below 1 the sum is rounded back to the weight. An upper bound, worked out from the
    optimizer's state right after its step.
    """

    largest: float
    """Of any element."""
    lost: float
    """Share of the elements whose update is below 1."""


def update_sizes(
    optimizer: Optimizer,
    group: Mapping[str, Any],
    parameter: Tensor,
    dtypes: Collection[torch.dtype],
) -> dict[torch.dtype, UpdateSize]:
    """Return how large the update is for a weight of these values, were it of each dtype.

    Nothing where the optimizer's state is not of a kind that is known (Adam's, RMSprop's and
    SGD's are), and for a weight of which other ranks hold a part.
    """
    if wraps_others(parameter):
        return {}
    with torch.no_grad():
        change = _change(optimizer, group, parameter)
        if change is None or change.shape != parameter.shape or not parameter.numel():
            return {}
        weight = parameter.detach().double().abs()
        decay = float(group.get("weight_decay") or 0) * float(rate_of(dict(group)) or 0)
        change = change.abs() + decay * weight
        return {dtype: _size(change, weight, dtype) for dtype in dtypes}


def _size(change: Tensor, weight: Tensor, dtype: torch.dtype) -> UpdateSize:
    """Measure a change in half spacings of ``dtype``; both are magnitudes in float64."""
    _, exponent = torch.frexp(weight)
    limits = torch.finfo(dtype)
    spacing = torch.ldexp(torch.full_like(weight, limits.eps), exponent - 1)
    least = limits.smallest_normal * limits.eps
    spacing = spacing.where(weight > 0, least).clamp(min=least)
    sizes = 2 * change / spacing
    largest, lost = torch.stack([sizes.max(), (sizes < 1).double().mean()]).tolist()
    return UpdateSize(largest, lost)


def _change(optimizer: Optimizer, group: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
    """Return what is taken from each element, but for the weight decay; in float64."""
    rate, grad = rate_of(dict(group)), parameter.grad
    if rate is None or grad is None or grad.is_sparse or not parameter.is_floating_point():
        return None
    state = optimizer.state.get(parameter, {})
    grad = grad.detach().double()
    eps = group.get("eps", 0)
    if not isinstance(eps, (int, float)):  # Adafactor has two, and an update of its own
        return None
    if "exp_avg" in state and "exp_avg_sq" in state and "betas" in group:
        first, second = (1 - beta ** float(state.get("step", 1)) for beta in group["betas"])
        mean, square = state["exp_avg"].double() / first, state["exp_avg_sq"].double() / second
        update: Tensor = rate * mean / (square.sqrt() + eps)
        return update
    if "square_avg" in state and "acc_delta" not in state:  # Adadelta has both
        scaled: Tensor = rate * grad / (state["square_avg"].double().sqrt() + eps)
        return scaled
    if isinstance(optimizer, SGD):
        momentum = state.get("momentum_buffer")
        return rate * (grad if momentum is None else momentum.double().abs() + grad.abs())
    return None
