"""A sample in the making, and on its way to the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.states import State
from ..model.sample import GRAD_NORM, Sample
from ..torch_compat.readback import Readback
from .norms import lie_between
from .repeated_sample import Positions, Repeated
from .stacks import Stacks
from .statistics import Statistic

LARGEST = float(np.finfo(np.float32).max)
"""A figure is sent as float32."""
_Float: TypeAlias = type[np.float32] | type[np.float64]
_BYTES, _VALUE_BYTES = 4_000, 4
"""What such a sample takes in memory beside its states and figures, and a figure on the wire."""


@dataclass
class Draft:
    """A sample in the making."""

    states: bytearray
    """One code a parameter. Plain bytes: numpy's element access costs five times as much."""
    statistics: Sequence[Statistic]
    """What is measured of each gradient."""
    by_hand: list[int] = field(default_factory=list)
    """Parameters whose old gradient the script itself wrote to: it is new if it is no zeros."""
    may_skip: bool = False
    """A fused optimizer under a ``GradScaler`` decides in its kernel whether to skip."""
    parts: list[Part] = field(default_factory=list)

    def forget(self, k: int, indexes: Sequence[int]) -> None:
        """Forget what was measured of these as what optimizer k applies, in a step that raised."""
        parts = [part for part in self.parts if part.optimizer != k]
        if len(parts) < len(self.parts):
            held = set(indexes)
            self.parts = parts
            self.by_hand = [index for index in self.by_hand if index not in held]

    def take(self, repeated: Repeated, figures: Mapping[int, Tensor]) -> None:
        """Take in what was measured of a sample that repeats the one before."""
        self.states = bytearray(repeated.states.tobytes())
        for code, values in figures.items():
            self.parts.append(Part(code, repeated.positions, values))


@dataclass
class Part:
    """Values of one statistic for some parameters, still on their device."""

    statistic: int
    indexes: Positions
    values: Tensor
    optimizer: int | None = field(init=False, default=None)
    """That applies these gradients; None: none does."""
    usual: bool | None = field(init=False, default=None)
    """Whether all values are, where they are on the host already; see :func:`_are_usual`."""

    def __post_init__(self) -> None:
        if self.values.is_cpu:
            self.usual = _are_usual(self.values)


def part_of(
    statistic: Statistic, indexes: Positions, grads: list[Tensor], stacks: Stacks | None
) -> Part:
    """Measure gradients, quickly first; on the CPU what is not usual then is mended."""
    part = Part(statistic.code, indexes, (statistic.quick or statistic.measure)(grads, stacks))
    if part.usual is False:
        part = Part(statistic.code, indexes, statistic.mend(grads, part.values))
    return part


@dataclass
class PendingSample:
    """A sample whose values are on their way to the host."""

    step: int
    time: float
    skipped: bool
    waiting: frozenset[int]
    draft: Draft
    readbacks: list[tuple[list[Part], Readback]]
    _made: Sample | None = field(init=False, default=None)

    def ready(self) -> bool:
        """Whether all values have arrived; never waits."""
        return all(readback.ready() for _, readback in self.readbacks)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return _BYTES + len(self.draft.states) * (1 + _VALUE_BYTES * len(self.draft.statistics))

    def sample(self) -> Sample:
        """Return the sample, whose values have arrived or are waited for; any thread may ask."""
        if self._made is None:
            self._made = _complete(self)
        return self._made


def _complete(pending: PendingSample) -> Sample:
    draft = pending.draft
    states = np.frombuffer(draft.states, np.uint8)
    arrived = [(parts, readback.values()) for parts, readback in pending.readbacks]
    usual = all(_is_usual(parts, values) for parts, values in arrived)
    # What is not is judged first, by all of its bits.
    dtype = np.float32 if usual and not draft.by_hand else np.float64
    figures = _spread(arrived, len(states), dtype)
    for statistic in draft.statistics:
        if statistic.code not in figures:
            figures[statistic.code] = _nothing(len(states), dtype)
    if draft.by_hand:
        written = np.array(draft.by_hand)
        states[written[figures[GRAD_NORM][written] != 0]] = State.PRESENT
    if not usual:
        every = np.arange(len(states))
        measured = [every[part.indexes] for parts, _ in arrived for part in parts]
        _judge(states, figures[GRAD_NORM], np.unique(np.concatenate(measured)))
    narrow = {code: _narrow(values) for code, values in figures.items()}
    skipped = pending.skipped or (draft.may_skip and bool((states == State.NONFINITE).any()))
    return Sample(pending.step, pending.time, states, narrow, skipped, pending.waiting)


def _spread(
    arrived: Iterable[tuple[Sequence[Part], npt.NDArray[np.float64]]], count: int, dtype: _Float
) -> dict[int, npt.NDArray[Any]]:
    """Return what has arrived by its statistic: [parameters], NaN where there is nothing."""
    figures: dict[int, npt.NDArray[Any]] = {}
    for parts, values in arrived:
        start = 0
        for part in parts:
            end = start + part.values.numel()
            # Most models are one optimizer's, as a whole.
            if isinstance(part.indexes, slice) and part.indexes == slice(0, count):
                figures[part.statistic] = values[start:end].astype(dtype)
            else:
                if part.statistic not in figures:
                    figures[part.statistic] = _nothing(count, dtype)
                figures[part.statistic][part.indexes] = values[start:end]
            start = end
    return figures


def _nothing(count: int, dtype: _Float) -> npt.NDArray[Any]:
    """Return figures of which none was taken: NaN [count]; ``np.full`` costs four times as much."""
    figures = np.empty(count, dtype)
    figures.fill(np.nan)
    return figures


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return float32; what is too large for that is infinite."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _is_usual(parts: Sequence[Part], values: npt.NDArray[np.float64]) -> bool:
    """Return whether all values of some parts are."""
    known = [part.usual for part in parts]
    return _are_usual(torch.from_numpy(values)) if None in known else all(known)


def _are_usual(values: Tensor) -> bool:
    """Return whether none is zero, infinite, NaN or too large for float32: nothing to judge."""
    return lie_between(values, 0.0, LARGEST)


def _judge(
    states: npt.NDArray[np.uint8],
    norms: npt.NDArray[np.float64],
    measured: npt.NDArray[np.int64],
) -> None:
    """Tell those whose norm says that they are zero or not finite."""
    present = measured[states[measured] == State.PRESENT]
    states[present[norms[present] == 0]] = State.ZERO
    states[present[~np.isfinite(norms[present])]] = State.NONFINITE
