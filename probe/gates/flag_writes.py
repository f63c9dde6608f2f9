"""What the script sets ``requires_grad`` to, of parameters that gates are on."""

from __future__ import annotations

import weakref
from collections.abc import Collection

from torch import nn

from ..model.table import ParameterTable
from ..torch_compat.patching import FlagListener, Interceptions, requires_grad_writes


class FlagWrites:
    """Takes down what the script sets, and lets it.

    A loop that switches parameters off and on (a GAN's, Lightning's) gives back what it finds, and
    a gate must neither undo what it set nor have it find what the gate did.
    """

    def __init__(self, table: ParameterTable) -> None:
        self.last: dict[int, bool] = {}
        """What the script has set last since a gate is there, by the parameter's index."""
        self._table = table
        self._gated: Collection[int] = frozenset()
        self._writes = Interceptions(self, requires_grad_writes(_listener(weakref.ref(self))))

    def follow(self, gated: Collection[int]) -> None:
        """Listen for exactly these parameters."""
        self._gated = gated
        self.last = {index: flag for index, flag in self.last.items() if index in gated}
        self._writes.follow(needed=bool(gated))

    def receive(self, parameter: nn.Parameter, trainable: bool) -> None:
        """Take in what the script sets."""
        index = self._table.index_of.get(id(parameter))
        if index is not None and index in self._gated:
            self.last[index] = bool(trainable)


def _listener(writes: weakref.ref[FlagWrites]) -> FlagListener:
    def listen(parameter: nn.Parameter, trainable: bool) -> bool:
        listening = writes()
        if listening is not None:
            listening.receive(parameter, trainable)
        return True

    return listen
