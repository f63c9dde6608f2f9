"""PyTorch's count of the writes to a tensor, which nothing public shows.

``Tensor._version`` was seen in torch 2.8 to 2.15, as was the way to keep it over a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from .parts import EXPLAINING, Part

_VERSION = Part(
    "torch.Tensor._version",
    otherwise="every tensor counts as written since the last look",
    needed_for=(EXPLAINING,),
)
_PRESERVE = Part(
    "torch.autograd._unsafe_preserve_version_counter",
    otherwise="no graph is cut in the forward, so a closed gate saves less",
)
PARTS = (_VERSION, _PRESERVE)

version: Callable[[Tensor], int] = (
    partial(lambda numbers, _: next(numbers), count())
    if _VERSION.missing
    else attrgetter("_version")
)
"""Return how often a tensor was written to in place; not for one of inference mode.

In C, for it is called for every gradient of a step.
"""

can_preserve = not _PRESERVE.missing
"""Whether :func:`preserved` works."""


def mark_versions(parameters: Iterable[nn.Parameter], mark: str) -> None:
    """Leave on each gradient, as the attribute ``mark``, the version that it has now.

    An attribute lives exactly as long as the gradient. A weak reference would do too; an id
    would not, since freed ids return at once.
    """
    if _VERSION.missing:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.__dict__[mark] = version(parameter.grad)
        return
    for parameter in parameters:
        grad = parameter.grad
        if grad is not None:
            grad.__dict__[mark] = grad._version


def preserved(tensor: Tensor) -> AbstractContextManager[Any]:
    """Keep the version of a tensor as it is over the writes inside."""
    kept: AbstractContextManager[Any] = _PRESERVE.require()(tensor)
    return kept
