"""Casts and moves of parameters, after which their bits are others though nobody trained them."""

from __future__ import annotations

import weakref
from collections import Counter

from torch import nn

from ..base.guard import Guard
from ..model.table import ParameterTable
from ..torch_compat.patching import Interceptions, Listener, conversions
from .records import FreezeRecords


class Conversions:
    """Counts how often a parameter was converted by ``model.to``, ``half``, ``to_empty`` …

    All of them go through one method of ``nn.Module``, which is listened to only while
    something is frozen by command. A cast by hand (``p.data = p.data.half()``) shows itself by
    the parameter's dtype.
    """

    def __init__(self, table: ParameterTable, records: FreezeRecords, guard: Guard) -> None:
        self._table = table
        self._records = records
        self._counts: Counter[int] = Counter()
        # Weakly, so that a run that is dropped without a detach can be collected.
        listening = conversions(_listener(weakref.ref(self)))
        self._casts = Interceptions(self, guard, [] if listening is None else [listening])

    def follow(self) -> None:
        """Listen for as long as something is frozen by command."""
        self._casts.follow(needed=bool(self._records.freezes))

    def kind_of(self, index: int) -> tuple[object, ...]:
        """Return what is another after a cast or a move of a parameter, and only then."""
        parameter = self._table.parameters[index]
        return parameter.dtype, parameter.device, self._counts[index]

    def receive(self, module: nn.Module) -> None:
        """Take in that the tensors of a module were converted."""
        self._counts.update(self._table.indexes(module.parameters(recurse=False)))


def _listener(counting: weakref.ref[Conversions]) -> Listener:
    def listen(given: tuple[object, ...], _: object) -> None:
        conversions = counting()
        module = given[0] if given else None
        if conversions is not None and isinstance(module, nn.Module):
            conversions.receive(module)

    return listen
