"""The statistics of a gradient: how each is measured, and with which samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..model.sample import GRAD_MAX, GRAD_NORM
from .norms import careful_norms, grad_maxima, grad_norms, quick_norms
from .stacks import Stacks


@dataclass(frozen=True)
class Statistic:
    """A figure of a gradient that grows with it: of a gradient times 2 it is twice as large."""

    code: int
    """As the wire protocol has it (docs/protocol.md)."""
    every: int
    """It is taken with each n-th sample, the first included."""
    measure: Callable[[list[Tensor], Stacks | None], Tensor]
    """Takes dense gradients of one device and dtype; gives float64 [gradients] on that device."""
    quick: Callable[[list[Tensor], Stacks | None], Tensor] | None = None
    """The same sooner; on the CPU figures of which one is zero or not finite are to be mended.

    There they may be float32, if the gradients are of no wider type."""
    mend: Callable[[list[Tensor], Tensor], Tensor] = lambda _, figures: figures
    """Takes the gradients once more, with such figures, and gives what ``measure`` does."""


STATISTICS = (
    Statistic(GRAD_NORM, 1, grad_norms, quick_norms, careful_norms),
    # A largest magnitude costs several times an L2 norm.
    Statistic(GRAD_MAX, 10, grad_maxima),
)
"""Every statistic of a sample, in the order in which they travel."""


def due(sample: int) -> Sequence[Statistic]:
    """Return the statistics that the sample of this number takes; the first is number 0."""
    return [statistic for statistic in STATISTICS if sample % statistic.every == 0]
