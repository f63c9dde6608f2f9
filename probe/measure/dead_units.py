"""Looks at gradients row by row: which units of a layer get exactly nothing, again and again."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.guard import Guard
from ..model.dead_units import DeadUnits
from ..torch_compat.readback import Readback

PATIENCE = 10
"""Looks in a row at which a row or a column has to be all zeros to count as dead."""


@dataclass
class _Part:
    """Which rows and columns of some gradients are not all zeros, on the way from one device."""

    shapes: list[tuple[int, int, int]]
    """Each one's parameter, rows and columns."""
    alive: Readback
    """The rows, then the columns of each: 1 for one that has anything, else 0."""


@dataclass
class _Streaks:
    """What was seen of one parameter so far."""

    rows: npt.NDArray[np.int32]
    """Looks in a row with nothing, [rows]."""
    columns: npt.NDArray[np.int32]
    steps: deque[int]
    """Of the latest looks."""


@dataclass
class _Look:
    step: int = 0
    parts: list[_Part] = field(default_factory=list)


class UnitLooks:
    """Counts rows and columns of gradients that stay exactly zero. Nobody waits for a device."""

    def __init__(self, guard: Guard, patience: int = PATIENCE) -> None:
        self._guard = guard
        self._patience = patience
        self._look = _Look()
        self._pending: deque[_Look] = deque()
        self._streaks: dict[int, _Streaks] = {}

    def measure(self, grads: Iterable[tuple[int, Tensor]]) -> None:
        """Look at gradients that an optimizer is about to apply, by parameter: strided ones."""
        shapes: dict[torch.device, list[tuple[int, int, int]]] = defaultdict(list)
        alive: dict[torch.device, list[Tensor]] = defaultdict(list)
        for index, grad in grads:
            if grad.ndim < 2 or not grad.numel():
                continue
            with self._guard, torch.no_grad():
                rows, columns = _alive(grad)
                shapes[grad.device].append((index, len(rows), len(columns)))
                alive[grad.device] += [rows, columns]
        self._look.parts += [_Part(shapes[device], Readback(alive[device])) for device in alive]

    def finish(self, step: int) -> None:
        """End the look of ``step``."""
        self._look.step = step
        self._pending.append(self._look)
        self._look = _Look()

    def collect(self, step: int) -> list[DeadUnits]:
        """Return what the look of ``step`` has shown, if there was one; it has arrived."""
        found: list[DeadUnits] = []
        while self._pending and self._pending[0].step <= step:
            look = self._pending.popleft()
            for part in look.parts:
                with self._guard:
                    found += self._read(part, look.step)
        return found

    def forget(self, indexes: Collection[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        for index in indexes:
            self._streaks.pop(index, None)

    def _read(self, part: _Part, step: int) -> Iterable[DeadUnits]:
        values, start = part.alive.integers(), 0
        for index, rows, columns in part.shapes:
            middle, end = start + rows, start + rows + columns
            yield self._count(index, values[start:middle], values[middle:end], step)
            start = end

    def _count(
        self, index: int, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], step: int
    ) -> DeadUnits:
        streaks = self._streaks.get(index)
        if streaks is None or (len(streaks.rows), len(streaks.columns)) != (
            len(rows),
            len(columns),
        ):
            streaks = self._streaks[index] = _Streaks(
                np.zeros(len(rows), np.int32),
                np.zeros(len(columns), np.int32),
                deque(maxlen=self._patience),
            )
        streaks.rows = np.where(rows, 0, streaks.rows + 1)
        streaks.columns = np.where(columns, 0, streaks.columns + 1)
        streaks.steps.append(step)
        looks = len(streaks.steps)
        return DeadUnits(
            parameter=index,
            step=step,
            since_step=streaks.steps[0],
            looks=looks,
            rows=len(rows),
            dead_rows=int((streaks.rows >= looks).sum()),
            columns=len(columns),
            dead_columns=int((streaks.columns >= looks).sum()),
        )


def _alive(grad: Tensor) -> tuple[Tensor, Tensor]:
    """Return which rows and columns have an element other than 0, bool [rows], [columns]."""
    magnitudes = grad.abs()
    if magnitudes.ndim > 2:
        magnitudes = magnitudes.flatten(2).amax(2)
    return magnitudes.amax(1) != 0, magnitudes.amax(0) != 0
