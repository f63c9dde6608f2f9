"""Looks at weights: what a step really did to them."""

from __future__ import annotations

import time
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
from ..torch_compat.readback import Readback, capturing
from .checksums import Checksums
from .kept_elements import KeptElements
from .local_part import local_part, unreadable
from .norms import grad_norms
from .turns import Turns


@dataclass
class _Kept:
    """Elements of some weights before an optimizer's step."""

    indexes: list[int]
    elements: KeptElements


@dataclass
class _Part:
    """What is on its way from one device, for the same weights."""

    indexes: list[int]
    norms: Readback
    sums: Readback


@dataclass
class _Change:
    """The changes of weights in one step, on their way."""

    indexes: list[int]
    factors: list[float]
    norms: Readback


@dataclass
class _Look:
    """A look in the making, or on its way."""

    share: Collection[int]
    kept: list[_Kept] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)
    parts: list[_Part] = field(default_factory=list)
    kinds: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    step: int = 0
    count: int = 0
    skipped: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class _Seen:
    """A weight as of the look before."""

    step: int
    kind: tuple[Any, ...]
    """Of what device, dtype and shape it was: another is not compared with it."""
    checksum: int


class WeightLooks:
    """Looks at a share of the weights with a sample: how long they are, and whether they moved.

    Before an optimizer's step some elements of each weight are kept, and compared with what
    they are after it; once the step has ended there is a norm and a checksum of the whole
    weight. No copy of a weight is kept from one step to the next. Nobody waits for a device.
    """

    def __init__(self, table: ParameterTable, turns: Turns, guard: Guard) -> None:
        self._table = table
        self._turns = turns
        self._guard = guard
        self._checksums = Checksums()
        self._look: _Look | None = None
        self._pending: deque[_Look] = deque()
        self._seen: dict[int, _Seen] = {}

    @property
    def looking(self) -> bool:
        """Whether weights are looked at in the present step."""
        return self._look is not None

    def begin(self) -> None:
        """Begin a look, if it is time for one: the coming step is sampled."""
        share = self._turns.next()
        self._look = _Look(share) if share else None

    def before_step(self, held: Collection[int], step: int) -> None:
        """Keep elements of those that an optimizer holds: it is about to make its step."""
        look = self._look
        if look is None or capturing():
            return
        began = time.thread_time()
        look.kept = []
        weights = self._read([index for index in look.share if index in held])
        for indexes, tensors in weights:
            if _has_norm(tensors[0]):
                look.kept.append(_Kept(indexes, KeptElements(tensors, step)))
        look.seconds += time.thread_time() - began

    def after_step(self) -> None:
        """Measure the change of what was kept: the optimizer has made its step."""
        look = self._look
        if look is None or not look.kept or capturing():
            return
        began = time.thread_time()
        kept, look.kept = look.kept, []
        for each in kept:
            with self._guard:
                ((indexes, tensors),) = self._read(each.indexes)
                norms = each.elements.changes(tensors)
                look.changes.append(_Change(indexes, each.elements.factors, Readback([norms])))
        look.seconds += time.thread_time() - began

    def finish(self, step: int, *, skipped: bool) -> None:
        """Take norms and checksums once ``step`` has ended."""
        look, self._look = self._look, None
        if look is None:
            return
        began = time.thread_time()
        look.step, look.count, look.skipped = step, len(self._table), skipped
        for indexes, tensors in self._read(look.share):
            with self._guard, torch.no_grad():
                unknown = torch.full((len(tensors),), torch.nan)
                norms = grad_norms(tensors) if _has_norm(tensors[0]) else unknown
                sums = self._checksums.take(tensors)
                look.parts.append(_Part(indexes, Readback([norms]), Readback([sums])))
                for index, tensor in zip(indexes, tensors, strict=True):
                    look.kinds[index] = tensor.device, tensor.dtype, tensor.shape
        self._pending.append(look)
        self._turns.pay(look.seconds + time.thread_time() - began)

    def collect(self, step: int) -> Movement | None:
        """Return what the look of ``step`` has shown, if there was one; the sample has arrived."""
        while self._pending and self._pending[0].step <= step:
            look = self._pending.popleft()
            if look.step == step:
                return self._movement(look)
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

    def _movement(self, look: _Look) -> Movement:
        count = look.count
        known, moved = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        stepped, since = np.zeros(count, np.bool_), np.zeros(count, np.int64)
        norms, changes = np.full(count, np.nan), np.full(count, np.nan)
        estimated = np.zeros(count, np.bool_)
        for part in look.parts:
            norms[part.indexes] = part.norms.values()
            for index, checksum in zip(part.indexes, part.sums.integers().tolist(), strict=True):
                seen = _Seen(look.step, look.kinds[index], checksum)
                before = self._seen.get(index)
                self._seen[index] = seen
                if before is not None and before.kind == seen.kind:
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
        return Movement(look.step, since, known, moved, stepped, ratios, narrow, look.skipped)


def _has_norm(tensor: Tensor) -> bool:
    """Return whether torch takes norms of it: of the integers of a quantised weight it does not."""
    return tensor.is_floating_point() or tensor.is_complex()
