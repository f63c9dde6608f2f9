"""Notes of what the probe cannot see, and why: nothing is unmeasured without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..base.states import State
from ..measure.latest import LatestSample
from ..measure.local_part import unreadable
from ..model.table import ParameterTable
from .alerts import Alert

PATIENCE = 2
"""Samples in a row without a state after which that is told: what has just joined has none."""
EVERY = 64
"""Samples after which all weights are looked through again for those that cannot be read."""


class Unmeasured:
    """Tells of gradients that no sample has, and of weights whose movement nobody can see."""

    def __init__(
        self,
        table: ParameterTable,
        latest: LatestSample,
        problems: Mapping[int, str],
        *,
        ranks: int,
    ) -> None:
        """``problems``: why a gradient could not be measured, by parameter."""
        self._table = table
        self._latest = latest
        self._problems = problems
        self._ranks = ranks
        self._samples = 0
        self._step = 0
        self._missed: dict[int, tuple[int, int]] = {}
        """Since which step a parameter has no state, and in how many samples in a row."""
        self._unreadable: dict[int, tuple[int, str]] = {}
        """Since which step a weight is known to be so, and why."""
        self._looked_at = 0

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of the first parameter for each reason, and of how many more there are."""
        self._take_in()
        by_reason: dict[str, list[tuple[int, int]]] = {}
        for index, (since, samples) in self._missed.items():
            reason = self._why_no_gradient(index)
            if samples >= PATIENCE and reason is not None:
                by_reason.setdefault(reason, []).append((index, since))
        for index, (since, why) in self._unreadable.items():
            if index not in self._missed:
                reason = f"whether steps move it is not known, for {why}"
                by_reason.setdefault(reason, []).append((index, since))
        for reason, found in by_reason.items():
            index, name = found[0][0], self._table.name(found[0][0])
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            yield Alert(
                index,
                name,
                min(since for _, since in found),
                state=State.UNMEASURED.word,
                cause=State.UNMEASURED.word,
                detail=f"`{name}`{more}: {reason}.",
                level="note",
            )

    def _why_no_gradient(self, index: int) -> str | None:
        parameter = self._table.parameters[index]
        why = self._problems.get(index) or unreadable(parameter)
        if why is not None:
            return f"its gradient is not measured, for {why}"
        if not parameter.numel():
            # Alone, it is nothing that could train.
            return None if self._ranks == 1 else "this rank holds no element of it; another may"
        return "the samples do not cover it"

    def _take_in(self) -> None:
        """Take in the latest sample, once."""
        sample, removed = self._latest.sample, self._table.removed
        if sample is None or sample.step == self._step:
            return
        self._step = sample.step
        self._samples += 1
        missed: dict[int, tuple[int, int]] = {}
        for index in np.flatnonzero(sample.having(State.UNMEASURED)).tolist():
            if index not in removed:
                since, samples = self._missed.get(index, (sample.step, 0))
                missed[index] = since, samples + 1
        self._missed = missed
        if self._samples % EVERY == 1 or len(self._table) != self._looked_at:
            self._look_through(sample.step)

    def _look_through(self, step: int) -> None:
        self._looked_at = len(self._table)
        found: dict[int, tuple[int, str]] = {}
        for index, parameter in enumerate(self._table.parameters):
            why = None if index in self._table.removed else unreadable(parameter)
            if why is not None:
                found[index] = self._unreadable.get(index, (step, why))[0], why
        self._unreadable = found
