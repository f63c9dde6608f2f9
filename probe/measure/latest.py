"""The latest sample, and every parameter as of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..base.states import State
from ..model.freeze import Freeze
from ..model.parameter_info import ParameterInfo, describe
from ..model.sample import GRAD_MAX, SHARED_OUT, Sample
from ..model.table import TableRow


class LatestSample:
    """Keeps the sample that arrived last, and of what is not in every sample the latest values."""

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self._others: dict[int, npt.NDArray[np.float32]] = {}
        self._useful_in = np.zeros(0, np.int64)
        """By parameter: the latest step in whose sample its gradient was useful; 0 before one.

        As of the latest sample whose states were others than those of the latest of all.
        """

    def receive(self, sample: Sample) -> None:
        """Let a newer sample take the place of the one before."""
        before, self.sample = self.sample, sample
        if before is not None and not sample.has_states_of(before):
            self._note_useful(before)
        if GRAD_MAX in sample.values:
            self._others[GRAD_MAX] = sample.values[GRAD_MAX]
        for code in SHARED_OUT:
            if code in sample.values:
                self._others[code] = _updated(self._others.get(code), sample.values[code])

    def useful_in(self, index: int) -> int | None:
        """Return the latest sampled step in which a parameter had a useful gradient, or None."""
        sample = self.sample
        if (
            sample is not None
            and index < len(sample.states)
            and sample.states[index] == int(State.PRESENT)
        ):
            return sample.step
        step = int(self._useful_in[index]) if index < len(self._useful_in) else 0
        return step or None

    def _note_useful(self, sample: Sample) -> None:
        more = len(sample.states) - len(self._useful_in)
        if more > 0:
            self._useful_in = np.append(self._useful_in, np.zeros(more, np.int64))
        np.copyto(self._useful_in, sample.step, where=sample.having(State.PRESENT))

    def figure(self, code: int, index: int) -> float | None:
        """Return the latest value of a statistic of a parameter, or None before there is one."""
        values = self._others.get(code)
        if values is None or index >= len(values) or np.isnan(values[index]):
            return None
        return float(values[index])

    def parameters(
        self, rows: Sequence[TableRow], freezes: Mapping[int, Freeze]
    ) -> Iterator[ParameterInfo]:
        """Yield every parameter of the table; ``freezes`` by index."""
        for index, row in enumerate(rows):
            yield describe(index, row, freezes.get(index), self.sample, self._others)


def _updated(
    earlier: npt.NDArray[np.float32] | None, later: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the later values, and the earlier ones of the parameters that have none."""
    updated: npt.NDArray[np.float32] = later.copy()
    if earlier is not None:
        unknown = np.isnan(updated[: len(earlier)])
        updated[: len(earlier)][unknown] = earlier[unknown]
    return updated
