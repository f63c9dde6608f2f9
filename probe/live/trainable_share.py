"""The share of a model's numbers that is trainable, where a range is expected of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt

from ..base.states import State
from ..model.sample import Sample
from ..model.table import ParameterTable, is_uninitialized
from .alerts import Alert


class TrainableShare:
    """Compares the share of the numbers that require a gradient with what is expected of it.

    What a command froze, or a gate blocks, counts as trainable: that is somebody's wish.
    """

    def __init__(self, share: tuple[float, float], table: ParameterTable) -> None:
        self.least, self.most = share
        self._table = table
        self._since: int | None = None
        self._share = 0.0

    def receive(self, sample: Sample, frozen: Collection[int]) -> None:
        """Take in a sample; ``frozen``: by command."""
        trainable = ~sample.having(State.FROZEN)
        trainable[[index for index in frozen if index < len(trainable)]] = True
        sizes = numbers(self._table)[: len(trainable)]
        total = int(sizes.sum())
        self._share = int(sizes[trainable].sum()) / total if total else self.least
        if self.least <= self._share <= self.most:
            self._since = None
        elif self._since is None:
            self._since = sample.step

    def find(self) -> Iterator[Alert]:
        """Tell that the share is out of its range."""
        if self._since is not None:
            what = "more" if self._share > self.most else "less"
            yield Alert(
                None,
                None,
                self._since,
                cause="share",
                detail=f"{self._share:.4%} of the model's numbers require a gradient, {what} than "
                f"the {self.least:.4%} to {self.most:.4%} that are expected: look which layers "
                "are frozen that ought to train, or train that ought to be frozen.",
            )


def numbers(table: ParameterTable) -> npt.NDArray[np.int64]:
    """Return the count of numbers of each parameter, [parameters]; 0 of one that is not there."""
    removed = table.removed
    return np.array(
        [
            0 if index in removed or is_uninitialized(parameter) else parameter.numel()
            for index, parameter in enumerate(table.parameters)
        ],
        np.int64,
    )
