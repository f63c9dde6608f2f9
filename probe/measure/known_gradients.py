"""Gradients that are as they were at the sample before, so that none has to be asked what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .write_tracker import MARK

_grad = attrgetter("grad")
_requires_grad = attrgetter("requires_grad")


@dataclass(frozen=True)
class KnownGradients:
    """Gradients of one device and dtype, all dense, each with an element.

    That they still are is not asked, for each question costs as much as half a norm: of another
    shape, layout or device they cannot be stacked, which raises RuntimeError.
    """

    indexes: list[int]
    """The very list of parameters that was asked for; it does not change."""
    shapes: list[torch.Size]
    positions: npt.NDArray[np.int64] | slice = field(init=False)
    """The same as ``indexes``: a slice, if each follows the one before."""

    def __post_init__(self) -> None:
        """Look whether the indexes are a run."""
        positions = np.array(self.indexes, np.int64)
        first, is_run = self.indexes[0], bool((np.diff(positions) == 1).all())
        run = slice(first, first + len(self.indexes))
        object.__setattr__(self, "positions", run if is_run else positions)

    def find(
        self, parameters: list[nn.Parameter], *, may_be_old: bool = True
    ) -> list[Tensor] | None:
        """Return the gradients if all are there, new, and of parameters that are trained.

        One pass for each question, in C as far as possible: this is what a sample costs.
        ``may_be_old``: one of them may have a mark.
        """
        if isinstance(self.positions, slice):
            mine = parameters[self.positions]
        else:
            mine = list(map(parameters.__getitem__, self.indexes))
        grads: list[Tensor] = list(map(_grad, mine))
        if set(map(type, grads)) != {Tensor}:
            return None
        if may_be_old and True in [hasattr(grad, MARK) for grad in grads]:
            return None
        return grads if all(map(_requires_grad, mine)) else None

    def set_states(self, states: bytearray, code: int) -> None:
        """Give all of them a state."""
        if isinstance(self.positions, slice):
            states[self.positions] = bytes([code]) * len(self.indexes)
        else:
            for index in self.indexes:
                states[index] = code
