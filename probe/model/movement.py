"""Movement: what became of the weights between two looks at them, and in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Movement:
    """One look at some of the weights, after a step; arrays are [parameters], in table order.

    A look takes in a share of the parameters, so that in most of a large model's looks most
    parameters are not ``known``.
    """

    step: int
    """The step after which they were looked at."""
    since: npt.NDArray[np.int64]
    """The step after which each was looked at before; 0 where ``known`` is False."""
    known: npt.NDArray[np.bool_]
    """Both looks saw the same tensor: not replaced, cast or moved to another device between."""
    moved: npt.NDArray[np.bool_]
    """A bit of it differs between the two looks, by a checksum of all its bits: exact."""
    stepped: npt.NDArray[np.bool_]
    """An optimizer that holds it made a step that was looked at: ``update_ratio`` is of that."""
    update_ratio: npt.NDArray[np.float32]
    """Norm of the change in that one step to the norm of the weight after it; NaN where unknown.

    Exact for a tensor of up to ``measure.kept_elements.MOST`` elements, and else an estimate
    from so many of them. So 0 of a parameter with ``known`` and not ``moved`` is exact.
    """
    weight_norm: npt.NDArray[np.float32]
    """L2 norm after the step; NaN where it was not looked at."""
    skipped: bool = False
    """The optimizer did not apply this step (an overflow under AMP)."""
