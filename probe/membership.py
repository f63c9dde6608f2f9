"""Which parameter is in which optimizer, and the table rows that say so."""

from __future__ import annotations

from collections.abc import Sequence

from torch.optim import Optimizer

from .parameters import ParameterTable, TableRow, is_uninitialized


class Membership:
    """The parameters of each optimizer; kept up to date when groups are added later."""

    def __init__(self, table: ParameterTable, optimizers: Sequence[Optimizer]) -> None:
        self._table = table
        self._optimizers = optimizers
        self._read()
        self._seen = self._fingerprint()

    def refresh(self) -> bool:
        """Read anew if a parameter group was added or a lazy parameter got its shape."""
        now = self._fingerprint()
        if now == self._seen:
            return False
        self._seen = now
        self._read()
        return True

    def _read(self) -> None:
        self.groups: list[list[int]] = [
            self._table.indexes(p for group in optimizer.param_groups for p in group["params"])
            for optimizer in self._optimizers
        ]
        """The parameters of each optimizer, by index."""
        held = {index for group in self.groups for index in group}
        self.loose: list[int] = [index for index in range(len(self._table)) if index not in held]
        """The parameters in no optimizer."""
        self.in_optimizer: list[bool] = [index in held for index in range(len(self._table))]
        self.rows: list[TableRow] = self._table.rows(self.in_optimizer)
        self._lazy = [p for p in self._table.parameters if is_uninitialized(p)]

    def _fingerprint(self) -> tuple[int, ...]:
        """What changes when the membership does; cheap, for it is taken with every sample."""
        sizes = [len(g["params"]) for optimizer in self._optimizers for g in optimizer.param_groups]
        return (*sizes, sum(is_uninitialized(p) for p in self._lazy))
