"""Which parameter is in which optimizer, and the table rows that say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch.optim import Optimizer

from .changes import ModelChanges
from .table import ParameterTable, TableRow, is_uninitialized


class Membership:
    """The parameters of each optimizer; it follows groups and parameters added later.

    Whoever asks for ``held_by`` or ``loose`` gets them as they are now: a parameter added
    before a step is measured in that step.
    """

    def __init__(
        self,
        table: ParameterTable,
        optimizers: Sequence[Optimizer],
        changes: ModelChanges,
        changed: Callable[[list[TableRow]], None],
    ) -> None:
        self._table = table
        self._optimizers = optimizers
        self._changes = changes
        self._changed = changed
        self.rows: list[TableRow] = self._read()

    def held_by(self, k: int) -> list[int]:
        """The parameters of optimizer k, by index.

        It alone is looked at: with an optimizer per parameter, all at each step are quadratic.
        """
        if self._changes.noticed or len(self._optimizers[k].param_groups) != self._counted[k]:
            self._follow()
        return self._groups[k]

    def set_of(self, k: int) -> frozenset[int]:
        """The same as a set, to be asked what is in it."""
        self.held_by(k)
        return self._sets[k]

    @property
    def loose(self) -> list[int]:
        """The parameters in no optimizer."""
        self.catch_up()
        return self.known_loose

    @property
    def held(self) -> set[int]:
        """``id`` of everything in an optimizer, also of what no model has."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        return {id(parameter) for group in groups for parameter in group["params"]}

    @property
    def applied_mask(self) -> npt.NDArray[np.bool_]:
        """Whether each parameter is in an optimizer; true of all where the run has none."""
        return self.held_mask if self._optimizers else ~self.held_mask

    def catch_up(self) -> None:
        """Read anew if a parameter, a module or a parameter group is known to be new."""
        if self._changes.noticed or self._is_grown():
            self._follow()

    def refresh(self, *, walk: bool = False) -> None:
        """Read anew if anything changed that a close look tells, or a ``walk`` of the models."""
        if walk or self._changes.due or self._changes.noticed or self._fingerprint() != self._seen:
            self._follow()

    def _follow(self) -> None:
        if self._changes.walk() or self._fingerprint() != self._seen:
            rows = self._read()
            # Told before it is shown: a new connection, which begins with what is shown,
            # must not be ahead of what waits to be sent over it.
            self._changed(rows)
            self.rows = rows

    def _read(self) -> list[TableRow]:
        self._groups = [
            self._table.indexes(p for group in optimizer.param_groups for p in group["params"])
            for optimizer in self._optimizers
        ]
        self._sets = [frozenset(group) for group in self._groups]
        held = {index for group in self._groups for index in group}
        rest = [index for index in range(len(self._table)) if index not in held]
        self.known_loose = [index for index in rest if index not in self._table.removed]
        """The parameters in no optimizer, as of the last time that somebody caught up."""
        self.in_optimizer: list[bool] = [index in held for index in range(len(self._table))]
        self.held_mask: npt.NDArray[np.bool_] = np.array(self.in_optimizer, np.bool_)
        self._lazy = [p for p in self._table.parameters if is_uninitialized(p)]
        self._counted = [len(optimizer.param_groups) for optimizer in self._optimizers]
        """How many parameter groups each has had."""
        self._seen = self._fingerprint()
        return self._table.rows(self.in_optimizer)

    def _is_grown(self) -> bool:
        """Whether one has another number of parameter groups: what is asked at every step."""
        for optimizer, counted in zip(self._optimizers, self._counted, strict=True):
            if len(optimizer.param_groups) != counted:
                return True
        return False

    def _fingerprint(self) -> tuple[int, ...]:
        """What changes when the membership does; cheap, for it is taken with every sample."""
        groups = [group["params"] for o in self._optimizers for group in o.param_groups]
        lazy = sum(is_uninitialized(p) for p in self._lazy)
        return (*map(len, groups), *map(id, groups), lazy)
