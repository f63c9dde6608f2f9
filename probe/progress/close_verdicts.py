"""Verdicts on what one step did to a parameter, by a close look at it."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from ..diagnosis.update_causes import MovedWithoutGradient, NotMoving
from ..model.table import ParameterTable
from .close_look import Look
from .movers import mover
from .streaks import Streaks
from .thresholds import Thresholds
from .verdicts import CHECKED, HELD, MOSTLY_ROUNDED, PUT_BACK, Verdicts

PATIENCE = 2
"""Looks in a row after which a weight is suspect."""
MOSTLY = 0.5
"""Share of a weight's elements."""
LEAST_USUAL_NORM = 0.1
"""To which gradients are clipped, as the advice has it."""
ACCUMULATED = 10
"""Steps over which an optimizer may gather gradients before it writes."""
ROUNDING = 1e-5
"""Norm of a gradient, to the largest of its module, that sums which cancel leave in float32."""


class CloseVerdicts:
    """Says what is wrong with a step that does not move a weight, or moves one without reason."""

    def __init__(
        self, table: ParameterTable, streaks: Streaks, verdicts: Verdicts, thresholds: Thresholds
    ) -> None:
        self._table = table
        self._streaks = streaks
        self._verdicts = verdicts
        self._limits = thresholds
        self.put_back: dict[int, int] = {}
        """Looks in a row that found the bits of before the step again, by parameter."""
        self._totals: deque[float] = deque(maxlen=thresholds.samples)
        """Norms of all gradients together, of the latest samples."""
        self._norms = np.zeros(0, np.float32)
        """Norms of the gradients of the latest sample, by parameter."""

    def take_norms(self, norms: npt.NDArray[np.float32], useful: npt.NDArray[np.bool_]) -> None:
        """Take in the norms of gradients, [samples, parameters]; ``useful``: which are applied."""
        self._norms = norms[-1]
        applied = norms[:, useful].astype(np.float64)
        self._totals.extend(np.linalg.norm(applied, axis=1).tolist())

    def judge(self, look: Look) -> None:
        """Give a verdict on what one step did, or none."""
        if look.trainable and look.gradient == "some":
            if look.untouched:
                if self._streaks.idle[look.index]:
                    self._judge_stale(look)
            elif not self._check(look) and self._streaks.still[look.index]:
                self._judge_still(look)
        elif look.gradient != "none" and look.moved:
            self._judge_idle(look)
        elif look.moved_after:
            self._verdicts.take_mover(look.index)

    def _check(self, look: Look) -> bool:
        """Return whether the step was undone, or lost on most elements; give a verdict on that."""
        index = look.index
        name, place = self._table.name(index), self._verdicts.place(index)
        if self._verdicts.reason(index) in CHECKED:
            del self._verdicts.current[index]
        if look.put_back:
            self.put_back[index] = self.put_back.get(index, 0) + 1
        else:
            self.put_back.pop(index, None)
        if self.put_back.get(index, 0) >= PATIENCE:
            if look.outward:
                finding = NotMoving.held(name, look.optimizer, place)
                self._verdicts.take(index, finding, "note", HELD)
            else:
                finding = NotMoving.put_back(name, look.optimizer, place)
                self._verdicts.take(index, finding, "alert", PUT_BACK)
        elif _is_mostly_lost(look):
            finding = NotMoving.mostly_rounded(name, self._dtype(index), look.lost, place)
            self._verdicts.take(index, finding, "note", MOSTLY_ROUNDED)
        return look.put_back

    def _judge_still(self, look: Look) -> None:
        """Say why a useful gradient, which a step has applied, does not move its weight."""
        name, place = self._table.name(look.index), self._verdicts.place(look.index)
        if look.moved:
            return
        if look.size is not None and look.size.largest < 1:
            self._judge_small(look, look.size.largest)
        elif not look.written:
            since = int(self._streaks.since[look.index])
            if self._streaks.step - since >= ACCUMULATED:
                finding = NotMoving.not_written(name, look.optimizer, place)
                self._verdicts.take(look.index, finding, "alert", "not written")
        elif self._streaks.still[look.index] >= self._limits.samples:  # else by chance, perhaps
            finding = NotMoving.unexplained(name, look.optimizer, place)
            self._verdicts.take(look.index, finding, "note", "unexplained")

    def _judge_small(self, look: Look, size: float) -> None:
        """Say why an update is smaller than half the spacing of floats."""
        name, place = self._table.name(look.index), self._verdicts.place(look.index)
        if look.size_in_float32 is not None and look.size_in_float32.largest >= 1:
            finding = NotMoving.rounded(name, self._dtype(look.index), place)
            self._verdicts.take(look.index, finding, "alert", "rounded")
        elif self._is_clipped_away(size):
            finding = NotMoving.clipped(name, self._totals[-1], place)
            self._verdicts.take(look.index, finding, "alert", "clipped")
        elif self._has_no_effect(look.index):
            finding = NotMoving.without_effect(name, place)
            self._verdicts.take(look.index, finding, None, "without effect")
        elif len(self._totals) == self._totals.maxlen:
            finding = NotMoving.tiny(name, size, place)
            self._verdicts.take(look.index, finding, "note", "tiny")

    def _judge_stale(self, look: Look) -> None:
        if look.moved:
            place = self._verdicts.place(look.index)
            name = self._table.name(look.index)
            finding = MovedWithoutGradient.stale(name, look.optimizer, place)
            self._verdicts.take(look.index, finding, "alert", "stale")

    def _judge_idle(self, look: Look) -> None:
        """Say what of an optimizer moves a weight that has no useful gradient."""
        name, place = self._table.name(look.index), self._verdicts.place(look.index)
        what = mover(look.gradient, look.decay, remembers=look.remembers)
        if look.trainable:
            finding = MovedWithoutGradient.zeros(name, look.optimizer, what, place)
            self._verdicts.take(look.index, finding, "note", "zeros")
        else:
            finding = MovedWithoutGradient.frozen(name, look.optimizer, what, place)
            self._verdicts.take(look.index, finding, "alert", "frozen")

    def _is_clipped_away(self, size: float) -> bool:
        """Return whether clipping makes an update of this size too small for any float.

        All gradients together have then had the same norm in each of the latest samples, and with
        the least that is usual the update would be large enough: else its own gradient is small.
        """
        full = len(self._totals) == self._totals.maxlen and len(self._totals) > 1
        clipped = full and max(self._totals) - min(self._totals) <= 1e-3 * max(self._totals)
        return clipped and size * LEAST_USUAL_NORM >= self._totals[-1]

    def _has_no_effect(self, index: int) -> bool:
        """Return whether a bias has next to no gradient where others of its module have one."""
        module, _, own_name = self._table.name(index).rpartition(".")
        if self._table.parameters[index].dim() != 1 or "bias" not in own_name:
            return False
        beside = [
            norm
            for other, norm in enumerate(self._norms)
            if self._table.name(other).rpartition(".")[0] == module
        ]
        return index < len(self._norms) and self._norms[index] <= ROUNDING * max(beside)

    def _dtype(self, index: int) -> str:
        return str(self._table.parameters[index].dtype).removeprefix("torch.")


def _is_mostly_lost(look: Look) -> bool:
    """Return whether most elements did not move, and would have in float32."""
    wide = look.size_in_float32
    return look.moved and wide is not None and look.lost >= MOSTLY > wide.lost
