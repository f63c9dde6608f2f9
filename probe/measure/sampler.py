"""Measures every parameter's gradient at one step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.guard import Guard
from ..base.states import State
from ..model.sample import GRAD_NORM, Sample
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.readback import Readback
from .known_gradients import KnownGradients
from .local_part import local_part
from .norms import grad_norms, lie_between
from .released import ReleasedGradients
from .stacks import KnownStacks
from .statistics import Statistic, due
from .write_tracker import MARK, WriteTracker

LARGEST = float(np.finfo(np.float32).max)
"""A figure is sent as float32."""
_UNMEASURED, _PRESENT = int(State.UNMEASURED), int(State.PRESENT)
"""As plain integers, which cost no call to be compared with a byte."""
_Float: TypeAlias = type[np.float32] | type[np.float64]
_VALUE_BYTES = 4
MAX_PENDING = 8
"""Samples that may be on their way from a device; a further one waits for the oldest."""


@dataclass
class _Group:
    """Gradients of one device and dtype, and the indexes of their parameters."""

    indexes: list[int] = field(default_factory=list)
    grads: list[Tensor] = field(default_factory=list)
    shapes: list[torch.Size] = field(default_factory=list)
    positions: npt.NDArray[np.int64] | slice | None = None
    """The indexes once more, where they are known."""

    def members(self) -> Iterator[_Group]:
        """Yield each gradient as a group of its own."""
        for index, grad, shape in zip(self.indexes, self.grads, self.shapes, strict=True):
            yield _Group([index], [grad], [shape])


@dataclass
class _Draft:
    """A sample in the making."""

    states: bytearray
    """One code a parameter. Plain bytes: numpy's element access costs five times as much."""
    statistics: tuple[Statistic, ...]
    """What is measured of each gradient."""
    by_hand: list[int] = field(default_factory=list)
    """Parameters whose old gradient the script itself wrote to: it is new if it is no zeros."""
    may_skip: bool = False
    """A fused optimizer under a ``GradScaler`` decides in its kernel whether to skip."""
    parts: list[_Part] = field(default_factory=list)


@dataclass
class _Part:
    """Values of one statistic for some parameters, still on their device."""

    statistic: int
    indexes: list[int] | npt.NDArray[np.int64] | slice
    values: Tensor
    usual: bool | None = field(init=False, default=None)
    """Whether all values are, where they are on the host already; see :func:`_are_usual`."""

    def __post_init__(self) -> None:
        if self.values.is_cpu:
            self.usual = _are_usual(self.values)


@dataclass
class _Pending:
    """A sample whose values are on their way to the host."""

    step: int
    time: float
    skipped: bool
    waiting: frozenset[int]
    draft: _Draft
    readbacks: list[tuple[list[_Part], Readback]]
    _made: Sample | None = field(init=False, default=None)

    def ready(self) -> bool:
        return all(readback.ready() for _, readback in self.readbacks)

    @property
    def size(self) -> int:
        """Bytes of its figures and states."""
        return len(self.draft.states) * (1 + _VALUE_BYTES * len(self.draft.statistics))

    def sample(self) -> Sample:
        """Return the sample, whose values have arrived or are waited for; any thread may ask."""
        if self._made is None:
            self._made = _complete(self)
        return self._made


class Sampler:
    """Takes samples: norms by one multi-tensor call, one copy to the host per device.

    A sample is made in parts, since each optimizer's gradients are what it is about to
    apply only just before its own step: ``measure`` is called once per optimizer,
    ``finish`` once per step.
    """

    def __init__(
        self,
        table: ParameterTable,
        writes: WriteTracker,
        released: ReleasedGradients,
        guard: Guard,
        catch_up: Callable[[], None],
    ) -> None:
        """``catch_up`` brings the table up to date with the models."""
        self._table = table
        self._catch_up = catch_up
        self._guard = guard
        self._writes = writes
        self._released = released
        self.problems: dict[int, str] = {}
        """Why the gradient of a parameter could not be measured when that was tried last."""
        self._draft: _Draft | None = None
        self._taken = 0
        self._states_before = bytearray()
        """Of the sample before."""
        self.calm = False
        """Whether the latest sample is on the host and tells nothing new: every parameter is in the
        state that it was in before, and no value is zero or not finite."""
        self.pending: deque[_Pending] = deque()
        """Samples whose values are on their way to the host, or there and not collected."""
        self._stacks = KnownStacks()
        self._known: dict[int, KnownGradients] = {}
        """By the first index."""

    def measure(
        self,
        indexes: Sequence[int],
        grad_scale: Tensor | None = None,
        *,
        may_skip: bool = False,
        may_be_old: bool = True,
    ) -> None:
        """Measure the gradients that an optimizer is about to apply.

        Measured again, should a step that raised have left figures of an earlier try.
        ``grad_scale``: the factor that the gradients still carry (a fused optimizer under
        a ``GradScaler`` unscales inside its own kernel), a tensor of one element.
        ``may_skip``: that optimizer will not apply the gradients if one is not finite.
        ``may_be_old``: one of them may be of an earlier step.
        """
        draft = self._open_draft()
        draft.may_skip |= may_skip
        if not self._measure_known(draft, indexes, grad_scale, may_be_old=may_be_old):
            self._measure(draft, indexes, grad_scale)

    def measure_calm(self, indexes: Sequence[int], *, may_be_old: bool) -> bool:
        """Measure gradients that an optimizer is about to apply, if they tell nothing new.

        Return whether that is so: else nothing is measured. See :attr:`calm`.
        """
        draft = _Draft(bytearray(len(self._table)), due(self._taken))
        if not self._measure_known(draft, indexes, None, may_be_old=may_be_old):
            return False
        unusual = [part for part in draft.parts if not part.usual]
        if unusual or draft.states != self._states_before:
            return False
        self._draft = draft
        return True

    @property
    def is_whole(self) -> bool:
        """Whether the sample in the making has every parameter of the table."""
        return self._draft is not None and len(self._draft.states) == len(self._table)

    def finish_calm(self, step: int) -> None:
        """Complete the sample of ``step`` that :meth:`measure_calm` has measured."""
        draft, self._draft = self._draft, None
        assert draft is not None
        values = Readback([part.values for part in draft.parts], kept=True)
        readbacks = [(draft.parts, values)]
        self.pending.append(_Pending(step, time.time(), False, frozenset(), draft, readbacks))
        self.calm = True
        self._states_before = draft.states
        self._taken += 1
        self._writes.count_sample()

    @property
    def sees_nonfinite(self) -> bool:
        """Whether a gradient measured in the present step is not finite, as far as nobody waits."""
        parts = [] if self._draft is None else self._draft.parts
        unusual = [part.values for part in parts if part.usual is False]
        return not all(np.isfinite(values.numpy()).all() for values in unusual)

    def any_nonfinite(self, indexes: Iterable[int]) -> bool:
        """Whether one of these gradients holds an infinity or a NaN; waits for the device."""
        grads: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for index in indexes:
            grad = self._table.parameters[index].grad
            dense = None if grad is None else local_part(grad)
            if dense is not None and dense.numel():
                grads.setdefault((dense.device, dense.dtype), []).append(dense)
        with torch.no_grad():
            norms = [grad_norms(group) for group in grads.values()]
            return any(not bool(torch.isfinite(values).all()) for values in norms)

    def finish(
        self,
        step: int,
        gated: Collection[int] = (),
        *,
        skipped: bool = False,
        waiting: frozenset[int] = frozenset(),
    ) -> None:
        """Complete the sample of ``step`` with the parameters no optimizer has stepped.

        ``gated``: those that got no gradient because of a gate; ``waiting``: as the sample has it.
        """
        self._catch_up()
        draft, self._draft = self._open_draft(), None
        if _UNMEASURED in draft.states:
            removed = self._table.removed
            rest = [i for i, s in enumerate(draft.states) if s == _UNMEASURED and i not in removed]
            self._measure(draft, rest, None, applied=False)
        for index in gated:
            # A gate may have taken requires_grad away for the step, or let nothing come.
            if draft.states[index] in (State.ABSENT, State.FROZEN):
                draft.states[index] = State.GATED
        by_device: dict[torch.device, list[_Part]] = {}
        for part in draft.parts:
            by_device.setdefault(part.values.device, []).append(part)
        readbacks = [
            (parts, Readback([part.values for part in parts], kept=True))
            for parts in by_device.values()
        ]
        self.pending.append(_Pending(step, time.time(), skipped, waiting, draft, readbacks))
        told = skipped or waiting or gated or draft.by_hand or draft.may_skip
        usual = all(part.usual for part in draft.parts)
        self.calm = usual and not told and draft.states == self._states_before
        self._states_before = draft.states
        self._taken += 1
        self._writes.count_sample()

    def collect(self, *, wait: bool = False) -> list[Sample]:
        """Return the samples whose values have arrived on the host, oldest first."""
        samples = []
        while self.pending:
            full = len(self.pending) > MAX_PENDING
            if not (wait or full or self.pending[0].ready()):
                break
            pending = self.pending.popleft()
            with self._guard:  # one that cannot be read takes no other along
                samples.append(pending.sample())
        return samples

    def _open_draft(self) -> _Draft:
        if self._draft is None:
            self._draft = _Draft(bytearray(), due(self._taken))
        states = self._draft.states
        # Parameters may be added between the steps of two optimizers.
        states.extend(bytes(len(self._table) - len(states)))
        return self._draft

    def _measure_known(
        self,
        draft: _Draft,
        indexes: Sequence[int],
        grad_scale: Tensor | None,
        *,
        may_be_old: bool,
    ) -> bool:
        """Measure gradients that are as at the sample before; return False if they are not."""
        known = self._known.get(indexes[0]) if indexes else None
        if known is None or known.indexes is not indexes:
            return False
        grads = known.find(self._table.parameters, may_be_old=may_be_old)
        if grads is None:
            return False
        group = _Group(known.indexes, grads, known.shapes, known.positions)
        # Called like this it costs a third of what torch.no_grad() does.
        was_enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        try:
            self._take_statistics(draft, group, grad_scale)
        except RuntimeError:
            return False
        finally:
            torch.set_grad_enabled(was_enabled)
        known.set_states(draft.states, _PRESENT)
        return True

    def _remember(self, indexes: Iterable[int], groups: Sequence[_Group]) -> None:
        if isinstance(indexes, list) and indexes:
            self._known.pop(indexes[0], None)
            if len(groups) == 1 and len(groups[0].indexes) == len(indexes):
                self._known[indexes[0]] = KnownGradients(indexes, groups[0].shapes)

    def _measure(
        self,
        draft: _Draft,
        indexes: Iterable[int],
        grad_scale: Tensor | None,
        *,
        applied: bool = True,
    ) -> None:
        with torch.no_grad():
            groups = self._look(draft, indexes, applied=applied)
            if applied:
                self._remember(indexes, groups)
            for group in groups:
                # A kind of gradient that cannot be measured must not cost the others theirs.
                if self._try_statistics(draft, group, grad_scale) is not None:
                    for alone in group.members():
                        self._measure_alone(draft, alone, grad_scale)

    def _measure_alone(self, draft: _Draft, group: _Group, grad_scale: Tensor | None) -> None:
        """Measure a gradient that was among some that cannot be, or leave it unmeasured."""
        (index,) = group.indexes
        problem = self._try_statistics(draft, group, grad_scale)
        if problem is None:
            self.problems.pop(index, None)
        else:
            draft.states[index] = State.UNMEASURED
            self.problems[index] = problem

    def _try_statistics(
        self, draft: _Draft, group: _Group, grad_scale: Tensor | None
    ) -> str | None:
        """Measure some gradients, or return why that cannot be; the fault is counted."""
        with self._guard.attempt() as attempt:
            self._take_statistics(draft, group, grad_scale)
        return attempt.fault or None

    def _take_statistics(self, draft: _Draft, group: _Group, grad_scale: Tensor | None) -> None:
        grads, first = group.grads, group.grads[0]
        many = len(grads) > 1 and first.is_cpu
        key = (first.dtype, group.indexes[0])
        stacks = self._stacks.of(group.shapes, key) if many else None
        indexes = group.indexes if group.positions is None else group.positions
        parts = []
        for each in draft.statistics:
            part = _Part(each.code, indexes, (each.quick or each.measure)(grads, stacks))
            if part.usual is False:
                part = _Part(each.code, indexes, each.mend(grads, part.values))
            if grad_scale is not None:
                values = part.values / grad_scale.to(part.values.device)
                part = _Part(each.code, indexes, values)
            parts.append(part)
        draft.parts += parts

    def _look(self, draft: _Draft, indexes: Iterable[int], *, applied: bool) -> list[_Group]:
        """Set the states as far as they need no norm; return the gradients to norm.

        ``applied``: an optimizer is about to apply them. Else the script may have done so by now.
        This loop is what Python costs per parameter: it touches each attribute once, and
        plain integers, for an enum's member costs a call to become a byte.
        """
        groups: dict[tuple[torch.dtype, int], _Group] = {}
        dtype: torch.dtype | None = None
        device: int | None = None
        present, stale, zero = _PRESENT, int(State.STALE), int(State.ZERO)
        parameters, states, is_new = self._table.parameters, draft.states, self._writes.is_new
        for index in indexes:
            parameter = parameters[index]
            grad = parameter.grad
            if grad is None or not parameter.requires_grad:
                states[index] = self._without_gradient(draft, index, parameter)
                continue
            fresh = not hasattr(grad, MARK) or is_new(index, grad)
            states[index] = present if fresh else stale
            dense = grad if type(grad) is Tensor and not grad.is_sparse else local_part(grad)
            shape = dense.shape
            if 0 in shape or dense.is_meta:
                # No element at all is all zeros; a shard without any says nothing of the rest,
                # and on the meta device there is nothing to read.
                if dense.is_meta:
                    states[index] = State.UNMEASURED
                elif fresh and (dense is grad or grad.is_sparse):
                    states[index] = zero
                continue
            if fresh and not applied and self._released.is_zeroed(index, dense):
                states[index] = self._early(draft, index)
                continue
            if not fresh and self._writes.by_hand(grad):
                draft.by_hand.append(index)
            # A device's number hashes four times as fast as the device.
            if dense.dtype is not dtype or dense.get_device() != device:
                dtype, device = dense.dtype, dense.get_device()
                group = groups.setdefault((dtype, device), _Group())
                add_index, add_grad = group.indexes.append, group.grads.append
                add_shape = group.shapes.append
            add_index(index)
            add_grad(dense)
            add_shape(shape)
        return list(groups.values())

    def _without_gradient(self, draft: _Draft, index: int, parameter: Tensor) -> State:
        if not parameter.requires_grad:
            return State.FROZEN
        # Without an element there is nothing to train here: another rank may have the piece.
        if is_uninitialized(parameter) or not parameter.numel() or parameter.is_meta:
            return State.UNMEASURED
        return self._early(draft, index)

    def _early(self, draft: _Draft, index: int) -> State:
        """Take the figures of a gradient as it came, where it is gone or zeros by now."""
        state, figures = self._released.look(index)
        for statistic in draft.statistics if figures else ():
            draft.parts.append(_Part(statistic.code, [index], figures[statistic.code]))
        return state


def _complete(pending: _Pending) -> Sample:
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
    arrived: Iterable[tuple[Sequence[_Part], npt.NDArray[np.float64]]], count: int, dtype: _Float
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


def _is_usual(parts: Sequence[_Part], values: npt.NDArray[np.float64]) -> bool:
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
