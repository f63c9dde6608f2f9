"""Looks at weights: what a step really did to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base.guard import Guard
from ..model.movement import Movement
from ..model.table import ParameterTable
from ..torch_compat.readback import Readback
from .checksums import Checksums
from .kept_elements import KeptElements
from .local_part import local_part, unreadable
from .norms import grad_norms


@dataclass
class _Kept:
    """Elements of some weights before an optimizer's step."""

    indexes: list[int]
    elements: KeptElements


@dataclass
class _Part:
    """What is on its way from one device, for the same weights."""

    indexes: list[int]
    kinds: list[tuple[Any, ...]]
    norms: Readback | None
    """None of whole numbers, and of floats of eight bits, which torch has no norm of."""
    sums: Readback


@dataclass
class _Change:
    """The changes of weights in one step, on their way."""

    indexes: list[int]
    factors: list[float]
    norms: Readback


@dataclass
class _Look:
    """A look on its way."""

    step: int = 0
    parameters: int = 0
    """In the table."""
    changes: list[_Change] = field(default_factory=list)
    parts: list[_Part] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
    """A weight as of the look before."""

    step: int
    kind: tuple[Any, ...]
    """Of what device, dtype and shape it was: another is not compared with it."""
    checksum: int


class WeightLooks:
    """Looks at weights: how long they are, and whether and how far they have moved.

    Before an optimizer's step some elements of each weight are kept, and compared with what
    they are after it; once the step has ended there is a norm and a checksum of the whole
    weight. No copy of a weight is kept from one step to the next. Nobody waits for a device.
    """

    def __init__(self, table: ParameterTable, guard: Guard) -> None:
        self._table = table
        self._guard = guard
        self._checksums = Checksums()
        self._kept: list[_Kept] = []
        self._look = _Look()
        self._pending: deque[_Look] = deque()
        self._seen: dict[int, _Seen] = {}

    def keep(self, indexes: Collection[int], step: int) -> None:
        """Keep elements of weights that an optimizer is about to change in ``step``."""
        self._kept = [
            _Kept(readable, KeptElements(tensors, step))
            for readable, tensors in self._read(indexes)
            if _has_norm(tensors[0])
        ]

    def compare(self) -> None:
        """Measure how far the weights have moved whose elements were kept."""
        kept, self._kept = self._kept, []
        for each in kept:
            with self._guard:
                ((indexes, tensors),) = self._read(each.indexes)
                norms = each.elements.changes(tensors)
                change = _Change(indexes, each.elements.factors, Readback([norms]))
                self._look.changes.append(change)

    def finish(self, indexes: Collection[int], step: int) -> None:
        """Take norms and checksums of weights once ``step`` has ended."""
        look, self._look, self._kept = self._look, _Look(), []
        look.step, look.parameters = step, len(self._table)
        for readable, tensors in self._read(indexes):
            with self._guard:
                norms = Readback([grad_norms(tensors)]) if _has_norm(tensors[0]) else None
                sums = Readback([self._checksums.take(tensors)])
                kinds = [(tensor.device, tensor.dtype, tensor.shape) for tensor in tensors]
                look.parts.append(_Part(readable, kinds, norms, sums))
        self._pending.append(look)

    def collect(self, step: int, *, skipped: bool) -> Movement | None:
        """Return what the look of ``step`` has shown, if there was one; the sample has arrived.

        ``skipped``: as the sample has it.
        """
        while self._pending and self._pending[0].step <= step:
            look = self._pending.popleft()
            if look.step == step:
                return self._movement(look, skipped=skipped)
        return None

    def forget(self, indexes: Collection[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        for index in indexes:
            self._seen.pop(index, None)

    def _read(self, share: Collection[int]) -> list[tuple[list[int], list[Tensor]]]:
        """Return what can be read of these weights, those of one device and dtype together."""
        groups: dict[tuple[torch.device, torch.dtype], tuple[list[int], list[Tensor]]] = {}
        removed = self._table.removed
        for index in share:
            with self._guard:
                weight = self._table.parameters[index]
                if index in removed or unreadable(weight) is not None:
                    continue
                part = local_part(weight.detach())
                if part.numel():
                    group = groups.setdefault((part.device, part.dtype), ([], []))
                    group[0].append(index)
                    group[1].append(part)
        return list(groups.values())

    def _movement(self, look: _Look, *, skipped: bool) -> Movement:
        count = look.parameters
        known, moved = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        stepped, since = np.zeros(count, np.bool_), np.zeros(count, np.int64)
        norms, changes = np.full(count, np.nan), np.full(count, np.nan)
        estimated = np.zeros(count, np.bool_)
        for part in look.parts:
            if part.norms is not None:
                norms[part.indexes] = part.norms.values()
            sums = part.sums.integers().tolist()
            for index, kind, checksum in zip(part.indexes, part.kinds, sums, strict=True):
                before = self._seen.get(index)
                self._seen[index] = _Seen(look.step, kind, checksum)
                if before is not None and before.kind == kind:
                    known[index], since[index] = True, before.step
                    moved[index] = before.checksum != checksum
        for change in look.changes:
            factors = np.array(change.factors)
            changes[change.indexes] = change.norms.values() * factors
            estimated[change.indexes] = factors > 1
            stepped[change.indexes] = True
        # None of the elements kept has moved, which says little if another one may have.
        changes[estimated & (changes == 0) & ~(known & ~moved)] = np.nan
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = np.where(changes == 0, 0.0, changes / norms).astype(np.float32)
            narrow = norms.astype(np.float32)
        return Movement(look.step, since, known, moved, stepped, ratios, narrow, skipped)


def _has_norm(weight: Tensor) -> bool:
    return weight.is_complex() or (weight.is_floating_point() and weight.dtype.itemsize > 1)
