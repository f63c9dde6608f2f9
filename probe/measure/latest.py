"""The latest sample, and every parameter as of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..model.freeze import Freeze
from ..model.parameter_info import ParameterInfo, describe
from ..model.sample import GRAD_MAX, Sample
from ..model.table import TableRow


class LatestSample:
    """Keeps the sample that arrived last, and the largest magnitudes of the last that took them."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self._maxima: npt.NDArray[np.float32] | None = None

    def receive(self, sample: Sample) -> None:
        """Let a newer sample take the place of the one before."""
        self.sample = sample
        self._maxima = sample.values.get(GRAD_MAX, self._maxima)

    def parameters(
        self, rows: Sequence[TableRow], freezes: Mapping[int, Freeze]
    ) -> Iterator[ParameterInfo]:
        """Yield every parameter of the table; ``freezes`` by index."""
        for index, row in enumerate(rows):
            yield describe(index, row, freezes.get(index), self.sample, self._maxima)
