"""Keeps the script's own calls working with what commands keep untrained."""

from __future__ import annotations

from collections.abc import Collection

from ..model.table import ParameterTable
from .anchor import Anchor
from .autograd_calls import AutogradCalls
from .grad_scaler import ScalerZeros
from .recomputations import Recomputations
from .records import FreezeRecords


class Cover:
    """Everything by which a call of the script's does not raise because of a command.

    To autograd and to a ``GradScaler`` it is all the same whether a freeze or a gate keeps a
    parameter from being trained, so both are counted in.
    """

    def __init__(
        self,
        records: FreezeRecords,
        table: ParameterTable,
        anchor: Anchor,
        calls: AutogradCalls,
        zeros: ScalerZeros,
        recomputations: Recomputations,
    ) -> None:
        self._records = records
        self._table = table
        self._anchor = anchor
        self._calls = calls
        self._zeros = zeros
        self._recomputations = recomputations
        self._gateable: Collection[int] = frozenset()
        """What gates may keep untrained in some step, known before its forward."""
        self._gated = False
        """Whether there are gates."""

    def update_gates(self, gateable: Collection[int], *, gated: bool) -> None:
        """Cover what gates may keep untrained; ``gated``: there are some."""
        if gateable != self._gateable or gated != self._gated:
            self._gateable, self._gated = gateable, gated
            self.update()

    def update(self) -> None:
        """Cover what is frozen now, together with what gates keep untrained."""
        untrained = {*self._records.freezes, *self._gateable}
        self._anchor.cover(self._table.parameters[index] for index in untrained)
        needed = self._gated or bool(untrained)
        self._calls.follow(needed=needed)
        self._zeros.follow(needed=needed)
        self._recomputations.follow(needed=needed)

    def remove(self) -> None:
        """Let the script's calls do what torch does."""
        self._anchor.remove()
        self._calls.remove()
        self._zeros.follow(needed=False)
        self._recomputations.follow(needed=False)
