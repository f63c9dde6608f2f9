"""The factor of a ``GradScaler``, on its device, and what divides by it.

``get_scale()``, the public way, copies it to the host, which makes the training stream wait. Seen
in torch 2.8 to 2.15.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.amp import GradScaler

from .parts import GATING, Part


def _attribute(name: str) -> Any:
    """Return whether scalers have an attribute of this name: one is made with each of them."""
    disabled = GradScaler("cpu", enabled=False)
    enabled = GradScaler("cpu")
    attribute = name.rpartition(".")[2]
    return True if hasattr(enabled, attribute) or hasattr(disabled, attribute) else None


_SCALE = Part(
    "torch.amp.GradScaler._scale",
    otherwise="gradients are taken for unscaled ones",
    needed_for=(GATING,),
    look=_attribute,
)
_UNSCALE = Part(
    "torch._amp_foreach_non_finite_check_and_unscale_",
    otherwise="an explanation does not see that a scaler wrote to gradients",
)
PARTS = (_SCALE, _UNSCALE)

UNSCALE = _UNSCALE.name.rpartition(".")[2]
"""The name of what a scaler divides gradients by; torch does not count its writes."""


def scale_of(scaler: GradScaler) -> Tensor | None:
    """Return the factor, a tensor of one element; None before the first loss was scaled."""
    return None if _SCALE.missing else scaler._scale
