"""What the optimizers hold, and whether that says which parameters nobody trains."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..base.states import State
from ..measure.checksums import checksums
from ..measure.local_part import local_part, unreadable
from ..model.membership import Membership
from ..model.sample import Sample
from ..model.table import ParameterTable
from .alerts import Alert

STILL = 2
"""Times in a row that weights have to be as they were at the sample before."""
LOOKED_AT = 64
"""Parameters whose bits are compared, the smallest: where some are trained, all are."""
FROZEN, UNMEASURED = int(State.FROZEN), int(State.UNMEASURED)
"""Plain integers: comparing an array with an enum's member costs ten times as much."""


@dataclass(frozen=True)
class _Idle:
    """Parameters that nothing seems to train, and optimizers that seem to be made for them."""

    optimizers: tuple[int, ...]
    indexes: tuple[int, ...]
    since_step: int
    bits: Sequence[int]
    """Of the smallest of them, as of the latest sample."""
    still: int
    """Times in a row that these were the same."""


class Holding:
    """Finds optimizers that hold none of the parameters that they were made for.

    One that holds others than the models' is not wrong for that: it may hold copies in a wider
    type, which are copied back after its step (DeepSpeed, apex, a loop of one's own), or what no
    model has. So it counts only while the weights stay as they are, to the bit.
    """

    def __init__(
        self,
        table: ParameterTable,
        members: Membership,
        optimizers: Sequence[Optimizer],
        frozen: Callable[[], Collection[int]],
    ) -> None:
        """``frozen``: the parameters that commands froze, which train but for those."""
        self._table = table
        self._members = members
        self._optimizers = optimizers
        self._frozen = frozen
        self._idle: _Idle | None = None
        self._moving: set[tuple[int, ...]] = set()
        """Optimizers that train parameters which they do not hold."""
        self._known = False
        """What the optimizers hold says what is trained."""

    def is_loose(self, index: int, held: Sequence[bool] | None = None) -> bool:
        """Return whether no optimizer applies the gradient of this parameter.

        ``held``: what optimizers held at the time that is asked about; None: now.
        """
        return self._known and not (self._members.in_optimizer if held is None else held)[index]

    def receive(self, sample: Sample) -> None:
        """Take in a sample, of which the weights are still as its step has left them."""
        if not self._optimizers or sample.skipped:
            return
        trainable = self._trainable(sample)
        held = self._members.held_mask[: len(trainable)]
        loose, is_held = trainable & ~held, bool((trainable & held).any())
        self._idle = self._look(sample.step, loose, is_held=is_held) if loose.any() else None
        self._known = is_held or self._is_sure()

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of optimizers that train nothing of what they were made for."""
        if self._idle is not None and self._is_sure():
            detail = self._detail(self._idle)
            yield Alert(
                None,
                None,
                self._idle.since_step,
                cause="not_in_optimizer",
                detail=detail,
            )

    def _is_sure(self) -> bool:
        return self._idle is not None and self._idle.still >= STILL

    def _trainable(self, sample: Sample) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = (sample.states != FROZEN) & (sample.states != UNMEASURED)
        for indexes, trains in ((self._frozen(), True), (self._table.removed, False)):
            if indexes:
                found[[index for index in indexes if index < len(found)]] = trains
        return found

    def _look(self, step: int, loose: npt.NDArray[np.bool_], *, is_held: bool) -> _Idle | None:
        """Compare what nobody holds with how it was, if optimizers seem to be made for it."""
        parameters = self._table.parameters
        indexes = [int(index) for index in np.flatnonzero(loose)]
        made_for = self._without_gradient()
        if is_held or len(made_for) < len(self._optimizers):
            like = Counter(parameters[index].shape for index in indexes)
            made_for = tuple(k for k in made_for if self._looks(k, like))
            shapes = {shape for k in made_for for shape in _shapes(self._tensors(k))}
            indexes = [index for index in indexes if parameters[index].shape in shapes]
        if not made_for or made_for in self._moving:
            return None
        readable = (parameters[i] for i in indexes if unreadable(parameters[i]) is None)
        smallest = heapq.nsmallest(LOOKED_AT, readable, key=lambda parameter: parameter.numel())
        if not smallest:  # quantized, or with no element here: nobody knows
            return None
        bits = checksums([local_part(parameter.detach()) for parameter in smallest])
        before = self._idle
        if before is None or (before.optimizers, before.indexes) != (made_for, tuple(indexes)):
            return _Idle(made_for, tuple(indexes), step, bits, 0)
        if bits != before.bits:
            self._moving.add(made_for)
            return None
        return _Idle(made_for, before.indexes, before.since_step, bits, before.still + 1)

    def _without_gradient(self) -> tuple[int, ...]:
        """Return the optimizers of whose tensors none has a gradient."""
        every = range(len(self._optimizers))
        return tuple(k for k in every if all(tensor.grad is None for tensor in self._tensors(k)))

    def _looks(self, k: int, like: Counter[torch.Size]) -> bool:
        """Return whether an optimizer holds others of the shapes of what nobody holds.

        A single tensor, such as a temperature, has the shape of something too easily.
        """
        tensors = self._tensors(k)
        return not self._members.held_by(k) and len(tensors) > 1 and _shapes(tensors) <= like

    def _tensors(self, k: int) -> list[Tensor]:
        return [tensor for group in self._optimizers[k].param_groups for tensor in group["params"]]

    def _detail(self, idle: _Idle) -> str:
        names = " and ".join(sorted({type(self._optimizers[k]).__name__ for k in idle.optimizers}))
        many = len(idle.optimizers) > 1
        tensors = [tensor for k in idle.optimizers for tensor in self._tensors(k)]
        known = len(self._table.indexes(tensors))
        if not tensors:
            what = "it is empty"
        elif known:
            what = f"all that it holds of the model, {known} parameters, is frozen"
        else:
            what = (
                f"its {len(tensors)} tensors are others, as those of a copy are, or those that the "
                "model had before load_state_dict(assign=True), a replaced layer or a wrapper"
            )
        first = self._table.name(idle.indexes[0])
        more = f" and {len(idle.indexes) - 1} more" if len(idle.indexes) > 1 else ""
        return (
            f"The optimizer{'s' if many else ''} ({names}) hold{'' if many else 's'} none of the "
            f"parameters that ought to train, `{first}`{more}, and their weights do not change: "
            f"{what}. Make the optimizer from the parameters that the model has when training "
            "begins."
        )


def _shapes(tensors: Sequence[Tensor]) -> Counter[torch.Size]:
    return Counter(tensor.shape for tensor in tensors)
