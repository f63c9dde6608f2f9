"""Measures every parameter's gradient at one step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.guard import Guard
from ..base.states import State
from ..model.sample import Sample
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.readback import Readback
from .known_gradients import KnownGradients
from .local_part import local_part
from .norms import grad_norms
from .pending_sample import Draft, Part, PendingSample, part_of
from .released import ReleasedGradients
from .repeated_sample import Repeated, RepeatedSample
from .stacks import KnownStacks, Stacks
from .statistics import due
from .write_tracker import MARK, WriteTracker

_UNMEASURED, _PRESENT = int(State.UNMEASURED), int(State.PRESENT)
"""As plain integers, which cost no call to be compared with a byte."""
P = ParamSpec("P")
Answer = TypeVar("Answer")
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
        self._draft: Draft | None = None
        self._taken = 0
        self._states_before = bytearray()
        """Of the sample before, but for those that repeat them."""
        self._repeated: Repeated | None = None
        """What samples since have repeated, or the one in the making does."""
        self._figures: Mapping[int, Tensor] | None = None
        """Of a sample in the making that tells nothing new, by statistic."""
        self.calm = False
        """Whether the latest sample is on the host and tells nothing new: every parameter is in the
        state that it was in before, and no value is zero or not finite."""
        self.pending: deque[PendingSample | RepeatedSample] = deque()
        """Samples whose values are on their way to the host, or there and not collected."""
        self._stacks = KnownStacks()
        self._known: dict[int, KnownGradients] = {}
        """By the first index."""

    def measure(
        self,
        indexes: Sequence[int],
        grad_scale: Tensor | None = None,
        *,
        k: int = 0,
        may_skip: bool = False,
        may_be_old: bool = True,
    ) -> None:
        """Measure the gradients that optimizer k is about to apply.

        Measured again, should a step that raised have left figures of an earlier try.
        ``grad_scale``: the factor that the gradients still carry (a fused optimizer under
        a ``GradScaler`` unscales inside its own kernel), a tensor of one element.
        ``may_skip``: that optimizer will not apply the gradients if one is not finite.
        ``may_be_old``: one of them may be of an earlier step.
        """
        self._figures = None  # of a step that raised
        draft = self._open_draft()
        draft.forget(k, indexes)
        draft.may_skip |= may_skip
        known = len(draft.parts)
        if not self._measure_known(draft, indexes, grad_scale, may_be_old=may_be_old):
            self._measure(draft, indexes, grad_scale)
        for part in draft.parts[known:]:
            part.optimizer = k

    def measure_calm(self, indexes: Sequence[int], *, may_be_old: bool) -> bool:
        """Measure gradients that an optimizer is about to apply, if they tell nothing new.

        Return whether that is so: else nothing is measured. See :attr:`calm`.
        """
        self._figures = None
        known = self._known_at(indexes)
        if known is None or not self._repeats(known):
            return False
        grads = known.find(self._table.parameters, may_be_old=may_be_old)
        if grads is None:
            return False
        try:
            self._figures = _without_graph(self._usual_figures, known, grads)
        except RuntimeError:
            return False
        if self._figures is None:
            return False
        self._draft = None  # of a step that raised
        return True

    @property
    def repeats_all(self) -> bool:
        """Whether what :meth:`measure_calm` measures is all of the table."""
        return self._repeated is not None and len(self._repeated.states) == len(self._table)

    def finish_calm(self, step: int) -> None:
        """Complete the sample of ``step`` that :meth:`measure_calm` has measured."""
        figures, self._figures = self._figures, None
        assert figures is not None
        assert self._repeated is not None
        self.pending.append(RepeatedSample(step, time.time(), figures, self._repeated))
        self.calm = True
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
        by_device: dict[torch.device, list[Part]] = {}
        for part in draft.parts:
            by_device.setdefault(part.values.device, []).append(part)
        readbacks = [
            (parts, Readback([part.values for part in parts], kept=True))
            for parts in by_device.values()
        ]
        self.pending.append(PendingSample(step, time.time(), skipped, waiting, draft, readbacks))
        told = skipped or waiting or gated or draft.by_hand or draft.may_skip
        usual = all(part.usual for part in draft.parts)
        self.calm = usual and not told and draft.states == self._states_before
        self._states_before, self._repeated = draft.states, None
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

    def _repeats(self, known: KnownGradients) -> bool:
        """Return whether these are all that the sample before had, and each was present."""
        if self._repeated is None or self._repeated.positions is not known.positions:
            states = bytearray(len(self._table))
            known.set_states(states, _PRESENT)
            if states != self._states_before:
                return False
            self._repeated = Repeated(np.frombuffer(bytes(states), np.uint8), known.positions)
        return self.repeats_all

    def _usual_figures(
        self, known: KnownGradients, grads: list[Tensor]
    ) -> Mapping[int, Tensor] | None:
        """Return the figures of gradients on the CPU by statistic; None if one is not usual."""
        figures = dict[int, Tensor]()
        stacks = self._stacks_of(known.shapes, grads, known.indexes)
        for each in due(self._taken):
            part = part_of(each, known.positions, grads, stacks)
            if not part.usual:
                return None
            figures[each.code] = part.values
        return figures

    def _stacks_of(
        self, shapes: list[torch.Size], grads: list[Tensor], indexes: list[int]
    ) -> Stacks | None:
        """Return how gradients of one device and dtype are stacked, if they are."""
        first = grads[0]
        if len(grads) == 1 or not first.is_cpu:
            return None
        return self._stacks.of(shapes, (first.dtype, indexes[0]))

    def _open_draft(self) -> Draft:
        if self._draft is None:
            self._draft = Draft(bytearray(), due(self._taken))
            if self._figures is not None:
                assert self._repeated is not None
                self._draft.take(self._repeated, self._figures)
                self._figures = None
        states = self._draft.states
        # Parameters may be added between the steps of two optimizers.
        states.extend(bytes(len(self._table) - len(states)))
        return self._draft

    def _measure_known(
        self,
        draft: Draft,
        indexes: Sequence[int],
        grad_scale: Tensor | None,
        *,
        may_be_old: bool,
    ) -> bool:
        """Measure gradients that are as at the sample before; return False if they are not."""
        known = self._known_at(indexes)
        if known is None:
            return False
        grads = known.find(self._table.parameters, may_be_old=may_be_old)
        if grads is None:
            return False
        group = _Group(known.indexes, grads, known.shapes, known.positions)
        try:
            _without_graph(self._take_statistics, draft, group, grad_scale)
        except RuntimeError:
            return False
        known.set_states(draft.states, _PRESENT)
        return True

    def _known_at(self, indexes: Sequence[int]) -> KnownGradients | None:
        """Return what is known of the gradients of these parameters, by the very list."""
        known = self._known.get(indexes[0]) if indexes else None
        return known if known is not None and known.indexes is indexes else None

    def _remember(self, indexes: Iterable[int], groups: Sequence[_Group]) -> None:
        if isinstance(indexes, list) and indexes:
            self._known.pop(indexes[0], None)
            if len(groups) == 1 and len(groups[0].indexes) == len(indexes):
                self._known[indexes[0]] = KnownGradients(indexes, groups[0].shapes)

    def _measure(
        self,
        draft: Draft,
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

    def _measure_alone(self, draft: Draft, group: _Group, grad_scale: Tensor | None) -> None:
        """Measure a gradient that was among some that cannot be, or leave it unmeasured."""
        (index,) = group.indexes
        problem = self._try_statistics(draft, group, grad_scale)
        if problem is None:
            self.problems.pop(index, None)
        else:
            draft.states[index] = State.UNMEASURED
            self.problems[index] = problem

    def _try_statistics(self, draft: Draft, group: _Group, grad_scale: Tensor | None) -> str | None:
        """Measure some gradients, or return why that cannot be; the fault is counted."""
        with self._guard.attempt() as attempt:
            self._take_statistics(draft, group, grad_scale)
        return attempt.fault or None

    def _take_statistics(self, draft: Draft, group: _Group, grad_scale: Tensor | None) -> None:
        grads = group.grads
        stacks = self._stacks_of(group.shapes, grads, group.indexes)
        indexes = group.indexes if group.positions is None else group.positions
        parts = []
        for each in draft.statistics:
            part = part_of(each, indexes, grads, stacks)
            if grad_scale is not None:
                # In float64, in which no norm becomes zero by it.
                scaled = part.values.double() if part.values.is_cpu else part.values
                part = Part(each.code, indexes, scaled / grad_scale.to(scaled.device))
            parts.append(part)
        draft.parts += parts

    def _look(self, draft: Draft, indexes: Iterable[int], *, applied: bool) -> list[_Group]:
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

    def _without_gradient(self, draft: Draft, index: int, parameter: Tensor) -> State:
        if not parameter.requires_grad:
            return State.FROZEN
        # Without an element there is nothing to train here: another rank may have the piece.
        if is_uninitialized(parameter) or not parameter.numel() or parameter.is_meta:
            return State.UNMEASURED
        return self._early(draft, index)

    def _early(self, draft: Draft, index: int) -> State:
        """Take the figures of a gradient as it came, where it is gone or zeros by now."""
        state, figures = self._released.look(index)
        for statistic in draft.statistics if figures else ():
            draft.parts.append(Part(statistic.code, [index], figures[statistic.code]))
        return state


def _without_graph(function: Callable[P, Answer], *args: P.args, **named: P.kwargs) -> Answer:
    """Call what is to leave nothing in a graph: for a third of what ``torch.no_grad`` costs."""
    was_enabled = torch.is_grad_enabled()
    try:
        torch.set_grad_enabled(False)
        return function(*args, **named)
    finally:
        torch.set_grad_enabled(was_enabled)
