"""Keeps the script's backward and its scaler working with what gates keep untrained."""

from __future__ import annotations

from collections.abc import Collection

from ..model.table import ParameterTable
from .anchor import Anchor
from .grad_scaler import ScalerZeros
from .records import FreezeRecords


class GateCover:
    """The parameters that gates keep untrained, which the anchor and the zeros cover too.

    To autograd and to a ``GradScaler`` it is all the same who keeps a parameter from being
    trained, so the freezes are counted in.
    """

    def __init__(
        self, records: FreezeRecords, table: ParameterTable, anchor: Anchor, zeros: ScalerZeros
    ) -> None:
        self._records = records
        self._table = table
        self._anchor = anchor
        self._zeros = zeros
        self._gateable: Collection[int] = frozenset()
        """What gates may keep untrained in some step."""
        self._gated: Collection[int] | None = frozenset()
        """What they were last known to keep so; None when that is to be looked at anew."""

    def update(self, gateable: Collection[int]) -> None:
        """Cover what gates may keep untrained in some step."""
        if gateable != self._gateable:
            self._gateable = gateable
            self._cover()

    def update_gated(self, gated: Collection[int]) -> None:
        """Keep a ``GradScaler`` working with what gates keep untrained in the present step."""
        if gated != self._gated:
            self._gated = gated
            self._zeros.update({*self._records.freezes, *gated})

    def freezes_changed(self) -> None:
        """Cover what is frozen now, together with what gates keep untrained."""
        self._cover()
        self._zeros.update(self._records.freezes)

    def _cover(self) -> None:
        untrained = {*self._records.freezes, *self._gateable}
        self._anchor.cover(self._table.parameters[index] for index in untrained)
        self._gated = None
