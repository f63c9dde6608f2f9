"""A sample that tells nothing new: its figures, and the states of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..model.sample import Sample

Positions: TypeAlias = "list[int] | npt.NDArray[np.int64] | slice"


_BYTES, _VALUE_BYTES = 1_000, 4
"""What such a sample takes in memory beside its states and figures, and a figure on the wire."""


@dataclass(frozen=True, eq=False)
class Repeated:
    """What such samples in a row have in common."""

    states: npt.NDArray[np.uint8]
    """Codes, [parameters]; nobody writes to it."""
    positions: Positions
    """Where among the parameters those are that figures were taken of."""

    def spread(self, figures: Tensor) -> npt.NDArray[np.float32]:
        """Return float32 [parameters] of figures, [positions] on the CPU: NaN between them."""
        narrow = figures.numpy().astype(np.float32)
        if len(narrow) == len(self.states) and isinstance(self.positions, slice):
            return narrow
        values = np.full(len(self.states), np.nan, np.float32)
        values[self.positions] = narrow
        return values


@dataclass(slots=True)
class RepeatedSample:
    """A sample on the host, in as few objects as that takes, for each may be kept for a second.

    Whatever a step leaves behind counts for the collector of garbage, which comes the sooner, and
    with a model of some hundred thousand objects takes as long as ten steps do.
    """

    step: int
    time: float
    figures: Mapping[int, Tensor]
    """By statistic: within what float32 has, [positions of repeated] on the CPU."""
    repeated: Repeated
    _made: Sample | None = field(init=False, default=None)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return _BYTES + len(self.repeated.states) * (1 + _VALUE_BYTES * len(self.figures))

    def ready(self) -> bool:
        """Whether the values have arrived."""
        return True

    def sample(self) -> Sample:
        """Return the sample; any thread may ask."""
        if self._made is None:
            values = {code: self.repeated.spread(each) for code, each in self.figures.items()}
            self._made = Sample(self.step, self.time, self.repeated.states, values)
        return self._made
