"""Watches for the step in which gradients and weights stop being finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from ..base.states import State
from ..model.onset import Onset
from ..model.sample import Sample
from ..model.table import ParameterTable
from .local_part import local_part, unreadable
from .magnitude import magnitude, read

_FINITE = (State.PRESENT, State.ZERO)


class OnsetWatch:
    """Remembers when a gradient was first not finite, and whether a weight was so before it.

    Weights are looked at only when a gradient that an optimizer is about to apply is not finite:
    they are then as the forward had them. On an accelerator that is known a sample later, for
    nobody waits.
    """

    def __init__(self, table: ParameterTable) -> None:
        self._table = table
        self._finite_at: int | None = None
        self._looked: tuple[int, frozenset[int]] | None = None
        """The step before which weights were looked at last, and those that were not finite."""
        self.onset: Onset | None = None
        """None while gradients are finite."""

    @property
    def wants_look(self) -> bool:
        """Return whether gradients are not finite, and weights are as far as is known."""
        return self.onset is not None and not self.onset.weights

    def look(self, step: int) -> None:
        """Look at all weights before an optimizer makes its part of ``step``; once a step."""
        if self._looked is not None and self._looked[0] == step:
            return
        bad = _not_finite(self._table.parameters)
        self._looked = step, bad
        if self.onset is not None and bad:
            self.onset = replace(self.onset, weights=bad)

    def receive(self, sample: Sample) -> None:
        """Take in a sample; a step that AMP skipped says nothing."""
        if sample.skipped:
            return
        if not sample.has(State.NONFINITE):
            self.onset, self._finite_at = None, sample.step
        elif self.onset is None:
            spoilt = np.flatnonzero(sample.having(State.NONFINITE))
            sound = np.flatnonzero(np.isin(sample.states, _FINITE))
            seen = self._looked is not None and self._looked[0] == sample.step
            before = self._looked[1] if self._looked is not None and seen else None
            self.onset = Onset(
                sample.step,
                self._finite_at,
                self._ids(spoilt.tolist()),
                self._ids(sound.tolist()),
                before,
                before or frozenset(),
            )

    def _ids(self, indexes: list[int]) -> frozenset[int]:
        return frozenset(id(self._table.parameters[index]) for index in indexes)


def _not_finite(parameters: Sequence[Tensor]) -> frozenset[int]:
    readable = [each for each in parameters if unreadable(each) is None]
    sizes = [(id(each), magnitude(local_part(each.detach()))) for each in readable]
    known = [(key, size) for key, size in sizes if size is not None]
    values = read(size for _, size in known)
    return frozenset(
        key for (key, _), value in zip(known, values, strict=True) if not np.isfinite(value)
    )
