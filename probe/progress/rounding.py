"""How large an optimizer's update is, against the spacing of floats at the weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from ..measure.kept_elements import spread
from ..torch_compat.tensors import wraps_others
from .learning_rates import rate_of

AT_ONCE = 2**20
"""Elements that are read at a time: 8 MB in float64."""


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
    *,
    whole: bool,
) -> dict[torch.dtype, UpdateSize]:
    """Return how large the update is for a weight of these values, were it of each dtype.

    ``whole``: of every element; else of at most 4,096 of them, every n-th, so that the shares
    of a larger weight are estimates, with a standard error of at most 0.008.

    Nothing where the optimizer's state is not of a kind that is known (Adam's, RMSprop's and
    SGD's are), and for a weight of which other ranks hold a part.
    """
    if wraps_others(parameter) or not (dtypes and parameter.numel()):
        return {}
    found: dict[torch.dtype, list[Tensor]] = {dtype: [] for dtype in dtypes}
    with torch.no_grad():
        for part in _parts(parameter.numel()) if whole else (_some,):
            change = _change(optimizer, group, parameter, part)
            if change is None:
                return {}
            weight = part(parameter.detach()).double().abs()
            decay = float(group.get("weight_decay") or 0) * float(rate_of(dict(group)) or 0)
            change = change.abs() + decay * weight
            for dtype in dtypes:
                found[dtype].append(_sizes(change, weight, dtype))
        return {dtype: _together(sizes) for dtype, sizes in found.items()}


def _sizes(change: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Measure a change in half spacings of ``dtype``; all are magnitudes in float64.

    Returns the largest, how many are below 1 and how many there are, [3].
    """
    _, exponent = torch.frexp(weight)
    limits = torch.finfo(dtype)
    spacing = torch.ldexp(torch.full_like(weight, limits.eps), exponent - 1)
    least = limits.smallest_normal * limits.eps
    spacing = spacing.where(weight > 0, least).clamp(min=least)
    sizes = 2 * change / spacing
    count = torch.full_like(sizes[0], len(sizes))
    return torch.stack([sizes.max(), (sizes < 1).double().sum(), count])


def _together(parts: Sequence[Tensor]) -> UpdateSize:
    sizes = torch.stack(list(parts))
    largest, lost = torch.stack([sizes[:, 0].max(), sizes[:, 1].sum() / sizes[:, 2].sum()]).tolist()
    return UpdateSize(largest, lost)


def _parts(numel: int) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield what takes a tensor's elements, so many at a time that float64 has room."""
    for first in range(0, numel, AT_ONCE):
        yield partial(_from, first)


def _from(first: int, tensor: Tensor) -> Tensor:
    return tensor.reshape(-1)[first : first + AT_ONCE]


def _some(tensor: Tensor) -> Tensor:
    return spread(tensor, 0)


def _change(
    optimizer: Optimizer,
    group: Mapping[str, Any],
    parameter: Tensor,
    part: Callable[[Tensor], Tensor],
) -> Tensor | None:
    """Return what is taken from each element, but for the weight decay; float64 [elements].

    ``part`` takes the elements that count from a tensor of the parameter's shape.
    """
    rate, grad = rate_of(dict(group)), parameter.grad
    if rate is None or grad is None or grad.is_sparse or not parameter.is_floating_point():
        return None
    state = optimizer.state.get(parameter, {})

    def held(key: str) -> Tensor | None:
        value = state.get(key)
        fits = isinstance(value, Tensor) and value.shape == parameter.shape
        return part(value).double() if fits else None

    grad = part(grad.detach()).double()
    eps = group.get("eps", 0)
    if not isinstance(eps, (int, float)):  # Adafactor has two, and an update of its own
        return None
    mean, square, scale = held("exp_avg"), held("exp_avg_sq"), held("square_avg")
    if mean is not None and square is not None and "betas" in group:
        first, second = (1 - beta ** float(state.get("step", 1)) for beta in group["betas"])
        update: Tensor = rate * (mean / first) / ((square / second).sqrt() + eps)
        return update
    if scale is not None and "acc_delta" not in state:  # Adadelta has both
        scaled: Tensor = rate * grad / (scale.sqrt() + eps)
        return scaled
    if isinstance(optimizer, SGD):
        momentum = held("momentum_buffer")
        return rate * (grad if momentum is None else momentum.abs() + grad.abs())
    return None
