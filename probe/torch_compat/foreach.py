"""One call for the norms of many tensors, which public torch has for their sum only.

``torch.nn.utils.get_total_norm`` uses the same call. Seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .parts import Part

_NORM = Part("torch._foreach_norm", otherwise="norms are taken one by one, which is slower")
PARTS = (_NORM,)


def _one_by_one(
    tensors: list[Tensor], order: float = 2, dtype: torch.dtype | None = None
) -> list[Tensor]:
    return [torch.linalg.vector_norm(tensor, order, dtype=dtype) for tensor in tensors]


foreach_norm: Callable[..., list[Tensor]] = _NORM.or_else(_one_by_one)
"""Return the norm of each tensor: ``foreach_norm(tensors, order=2, dtype=None)``."""
