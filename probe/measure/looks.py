"""Looks at a share of the parameters with each sample: at their weights, and at their units."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

from ..base.guard import Guard
from ..model.dead_units import DeadUnits
from ..model.movement import Movement
from ..model.table import ParameterTable
from ..torch_compat.readback import capturing
from .dead_units import UnitLooks
from .look_budget import LookBudget
from .movement import WeightLooks
from .turns import Turns


class Looks:
    """Does what is too dear for every parameter in every sample: for those whose turn it is."""

    def __init__(
        self,
        table: ParameterTable,
        turns: Turns,
        budget: LookBudget,
        guard: Guard,
        is_new: Callable[[int, Tensor], bool],
    ) -> None:
        """``is_new``: whether a backward wrote this gradient since the last step used it."""
        self._table = table
        self._turns = turns
        self._budget = budget
        self._guard = guard
        self._is_new = is_new
        self._weights = WeightLooks(table, guard)
        self._units = UnitLooks(guard)
        self._share: Collection[int] = ()
        self._looked: set[int] = set()
        """The steps in which something was looked at, whose samples are still to come."""
        self._stopped = False
        self._off = False

    @property
    def looking(self) -> bool:
        """Whether something is looked at in the present step."""
        return bool(self._share) and not capturing()

    def begin(self) -> None:
        """Say what to look at in the coming step, which is sampled."""
        due = not self._stopped and self._budget.affords()
        self._share = self._turns.next() if due else ()

    def before_step(self, held: Collection[int], step: int) -> None:
        """Look at weights before an optimizer's step; ``held``: by that optimizer."""
        if self.looking:
            with self._budget.timed():
                self._weights.keep([index for index in self._share if index in held], step)

    def measure(self, held: Collection[int]) -> None:
        """Look at gradients that an optimizer is about to apply."""
        if self.looking:
            with self._budget.timed():
                self._units.measure(self._fresh_grads(held))

    def after_step(self) -> None:
        """Look at weights after an optimizer's step."""
        if self.looking:
            with self._budget.timed():
                self._weights.compare()

    def finish(self, step: int) -> None:
        """Look at weights once ``step`` has ended."""
        share, self._share = self._share, ()
        if share:
            self._looked.add(step)
            with self._budget.timed():
                self._weights.finish(share, step)
                self._units.finish(step)
            self._budget.end_look()

    def collect(self, step: int, *, skipped: bool) -> tuple[Movement | None, list[DeadUnits]]:
        """Return what was seen in ``step``, whose sample has arrived on the host."""
        movement: Movement | None = None
        units: list[DeadUnits] = []
        if self._off or step not in self._looked:
            return movement, units
        self._looked = {each for each in self._looked if each > step}
        with self._budget.timed():
            with self._guard:
                movement = self._weights.collect(step, skipped=skipped)
            with self._guard:
                units = self._units.collect(step)
        return movement, units

    def forget(self, indexes: Collection[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        self._weights.forget(indexes)
        self._units.forget(indexes)

    def stop(self) -> None:
        """Look no more."""
        self._stopped, self._share = True, ()

    def switch_off(self) -> None:
        """Look no more, and tell nothing of what was seen."""
        self._off = True
        self.stop()

    def _fresh_grads(self, held: Collection[int]) -> Iterable[tuple[int, Tensor]]:
        for index in self._share:
            grad = self._table.parameters[index].grad if index in held else None
            if grad is not None and _has_rows(grad) and self._is_new(index, grad):
                yield index, grad


def _has_rows(grad: Tensor) -> bool:
    """Return whether rows and columns of a gradient can be read.

    Part of a sharded one says nothing of whole columns, a sparse one nothing of rows, and on the
    meta device there is nothing to read.
    """
    return type(grad) is Tensor and grad.layout is torch.strided and not grad.is_meta
