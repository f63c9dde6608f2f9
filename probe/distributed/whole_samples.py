"""Samples of sharded parameters: every rank measures its part, and rank 0 puts them together."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..base.states import State
from ..measure.local_part import Sharded
from ..model.sample import GRAD_MAX, GRAD_NORM, Sample
from ..model.table import ParameterTable
from .exchange import RanksApart
from .ranks import Ranks

logger = logging.getLogger("gradgate")

PATIENCE = 10.0
"""Seconds that a sample waits for the parts of the other ranks, at most, and a rank for the others'
word on what is sampled: they may wait for it, where they number their steps otherwise."""
MOST_MISSED = 3
"""Times in a row that ranks may fail to agree on which step is sampled, before they stop."""
_PAUSE = 0.01

_TELLING = (State.NONFINITE, State.PRESENT, State.STALE, State.ZERO, State.GATED, State.ABSENT)
"""Of the states of a parameter's parts the first that is there is that of the whole."""


@dataclass
class _Waiting:
    """A sample of rank 0's that waits for the parts of the others."""

    sample: Sample
    indexes: list[int]
    since: float
    parts: dict[int, Any] | None = None
    """What the ranks have measured of the same step, once all have."""


class WholeSamples:
    """Has all ranks sample the same steps, and gives rank 0 the figures of whole parameters.

    The parts travel through the threads that talk, so nobody waits for them in a step.
    """

    def __init__(self, ranks: Ranks, table: ParameterTable) -> None:
        self._ranks = ranks
        self._table = table
        self._waiting: deque[_Waiting] = deque()
        self._missed = 0
        self._known: tuple[int, list[int]] = (0, [])
        """How many parameters there were, and which of them are sharded."""

    def agree(self, step: int, sampling: bool) -> bool:
        """Return whether ``step``, the coming one, is sampled: rank 0 says so."""
        agreed = self._share("sampled", str(step), sampling, step)
        return sampling if agreed is None else bool(agreed[0])

    def any(self, step: int, k: int, found: bool) -> bool:
        """Return whether a rank has found it in its part of what optimizer k holds."""
        agreed = self._share("found", f"{step}/{k}", found, step)
        return found if agreed is None else any(agreed)

    def _share(self, series: str, key: str, value: bool, step: int) -> list[Any] | None:
        """Return what every rank says; None where they do not come together, or have no parts."""
        if self._missed >= MOST_MISSED or not self._sharded():
            return None
        try:
            shared = self._ranks.share(series, key, value, step, PATIENCE)
        except RanksApart as error:
            self._missed += 1
            if self._missed == MOST_MISSED:
                logger.warning(
                    "gradgate: the figures of sharded parameters are those of each rank's own part "
                    "from step %d on: %s.",
                    step,
                    error,
                )
            return None
        self._missed = 0
        return shared

    def merge(self, samples: Iterable[Sample], *, wait: bool = False) -> list[Sample]:
        """Give this rank's samples; return those that are whole, on other ranks the same.

        ``wait``: wait for the parts that are still to come, for :data:`PATIENCE` at most.
        """
        merged: list[Sample] = []
        for sample in samples:
            indexes = self._sharded() if self._missed < MOST_MISSED else []
            if indexes:
                self._ranks.post(_topic(sample.step), _part(sample, indexes))
            if self._ranks.leader:
                self._waiting.append(_Waiting(sample, indexes, time.monotonic()))
            else:
                merged.append(sample)
        merged += self._take()
        while wait and self._waiting and self._ranks.talking:
            time.sleep(_PAUSE)
            merged += self._take()
        return merged

    def _take(self) -> list[Sample]:
        """Return the samples that are complete by now, and those that will not be, in order."""
        for each in self._waiting:
            if each.indexes and each.parts is None:
                each.parts = self._ranks.collect(_topic(each.sample.step))
        taken: list[Sample] = []
        while self._waiting:
            first = self._waiting[0]
            if first.indexes and first.parts is None:
                if time.monotonic() - first.since < PATIENCE:
                    break
                self._ranks.forget(_topic(first.sample.step))
            self._waiting.popleft()
            taken.append(self._whole(first))
        return taken

    def _whole(self, waiting: _Waiting) -> Sample:
        sample, indexes = waiting.sample, waiting.indexes
        if not indexes:
            return sample
        parts = self._of_meshes(indexes, waiting.parts or {})
        if parts is None:
            return _without(sample, indexes)
        states, values = sample.states.copy(), {c: v.copy() for c, v in sample.values.items()}
        for position, (index, of_one) in enumerate(zip(indexes, parts, strict=True)):
            # A rank without an element of it knows only whether a gradient came.
            telling = [part for part in of_one if _has_figure(part, position)] or of_one
            of_parts = [part["states"][position] for part in telling]
            states[index] = next((s for s in _TELLING if s in of_parts), of_parts[0])
            for code, combine in ((GRAD_NORM, self._norm), (GRAD_MAX, _largest)):
                if code in values:
                    own = [part["values"][str(code)][position] for part in telling]
                    values[code][index] = combine(own, index)
        return replace(sample, states=states, values=values)

    def _of_meshes(
        self, indexes: Sequence[int], parts: Mapping[int, Any]
    ) -> list[list[Any]] | None:
        """Return the parts of the ranks among which each parameter is split; None with one missing.

        Others may have the same number of parameters, and theirs are copies or another model's.
        """
        sharded: list[Any] = [self._table.parameters[index] for index in indexes]
        meshes = [parameter.device_mesh for parameter in sharded]
        found = {
            mesh: [parts.get(rank, {}) for rank in mesh.mesh.flatten().tolist()]
            for mesh in set(meshes)
        }
        told = (part for of_one in found.values() for part in of_one)
        if any(part.get("indexes") != indexes for part in told):
            return None
        return [found[mesh] for mesh in meshes]

    def _norm(self, norms: Sequence[float], index: int) -> float:
        parameter: Any = self._table.parameters[index]
        placed = enumerate(parameter.placements)
        copies = math.prod(
            parameter.device_mesh.size(dim) for dim, each in placed if each.is_replicate()
        )
        return math.sqrt(sum(norm * norm for norm in norms) / copies)

    def _sharded(self) -> list[int]:
        count, known = self._known
        if count != len(self._table):
            pairs = enumerate(self._table.parameters)
            known = [index for index, parameter in pairs if isinstance(parameter, Sharded)]
            self._known = len(self._table), known
        return known


def _topic(step: int) -> str:
    return f"sample {step}"


def _part(sample: Sample, indexes: Sequence[int]) -> dict[str, Any]:
    values = {
        str(code): sample.values[code][list(indexes)].astype(float).tolist()
        for code in (GRAD_NORM, GRAD_MAX)
        if code in sample.values
    }
    return {
        "indexes": list(indexes),
        "states": sample.states[list(indexes)].tolist(),
        "values": values,
    }


def _without(sample: Sample, indexes: Sequence[int]) -> Sample:
    """Return a sample without the figures of parameters of which parts are missing."""
    states, values = sample.states.copy(), {c: v.copy() for c, v in sample.values.items()}
    states[list(indexes)] = int(State.UNMEASURED)
    for of_all in values.values():
        of_all[list(indexes)] = np.nan
    return replace(sample, states=states, values=values)


def _has_figure(part: Mapping[str, Any], position: int) -> bool:
    missing = math.isnan(part["values"][str(GRAD_NORM)][position])
    return not missing or part["states"][position] == State.NONFINITE


def _largest(values: Sequence[float], index: int) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)
