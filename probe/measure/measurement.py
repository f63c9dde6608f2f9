"""Measures a run: samples, metrics, and the time of each backward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..model.changes import ModelChanges
from ..model.dead_units import DeadUnits
from ..model.distribution import Distributions
from ..model.membership import Membership
from ..model.movement import Movement
from ..model.onset import Onset
from ..model.sample import UPDATE_RATIO, WEIGHT_NORM, Sample
from ..model.table import ParameterTable, TableRow, is_uninitialized
from ..torch_compat.readback import capturing
from .backward_timer import BackwardTimer
from .focus import Focus
from .latest import LatestSample
from .look_budget import SHARE, LookBudget
from .looks import Looks
from .metrics import MetricLog, MetricValues
from .onset_watch import OnsetWatch
from .pace import Pace
from .released import ReleasedGradients
from .rounds import Rounds
from .sampler import Sampler
from .schedule import SamplingSchedule
from .turns import Turns
from .write_tracker import WriteTracker


@dataclass(frozen=True)
class Measured:
    """A sample that has arrived on the host, and what was looked at in the same step."""

    sample: Sample
    movement: Movement | None = None
    units: Sequence[DeadUnits] = ()
    distributions: Distributions | None = None


class Parts(Protocol):
    """The ranks that measure parts of the same parameters."""

    def agree(self, step: int, sampling: bool) -> bool:
        """Return whether a step is sampled on all of them."""

    def any(self, step: int, k: int, found: bool) -> bool:
        """Return whether one has found it in its part of what optimizer k holds."""

    def merge(self, samples: Iterable[Sample], *, wait: bool) -> list[Sample]:
        """Take this rank's samples in; return those that are whole."""


class Measurement:
    """Measures the steps whose turn it is.

    All but :meth:`collect` is called in the training thread, from hooks.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        pace: Pace,
        guard: Guard,
        *,
        coming_step: Callable[[], int],
        table_changed: Callable[[Sequence[TableRow]], None],
        backward_ended: Callable[[], None],
        parts: Parts | None = None,
    ) -> None:
        """``coming_step``: the step that what happens now belongs to; ``parts``: of several
        ranks, which may have a part of each parameter only."""
        self._optimizers = optimizers
        self._table = table
        self._parts = parts
        self._table_changed = table_changed
        with ExitStack() as undo:
            self._changes = ModelChanges(models, table, step=coming_step)
            undo.callback(self._changes.remove)
            self.members = Membership(table, optimizers, self._changes, changed=self._changed)
            self._rounds = Rounds(len(optimizers), self.members.set_of)
            self._writes = WriteTracker(table.parameters, guard, self.members.known_loose)
            undo.callback(self._writes.remove)
            self.unmarked: Sized = self._writes.unmarked
            """What optimizers have used of which a mark waits for ``zero_grad``."""
            self.schedule = SamplingSchedule(pace)
            if parts is not None:
                self.schedule.agree = parts.agree
            self.focus = Focus(table, self._writes, pace, guard)
            self._released = ReleasedGradients(
                table,
                self._writes,
                guard,
                lambda: self.schedule.sampling,
                self.focus.take_gradient,
            )
            self.sampler = Sampler(
                table, self._writes, self._released, guard, catch_up=self.members.catch_up
            )
            turns, look_budget = Turns(self._sizes), LookBudget(SHARE * pace.budget, room=pace.room)
            self.looks = Looks(table, turns, look_budget, guard, self._writes.is_new)
            self._onset = OnsetWatch(table)
            self._coming_step = coming_step
            self.timer = BackwardTimer(models.values(), guard, backward_ended)
            undo.callback(self.timer.remove)
            self.timer.arm()
            self.metrics = MetricLog(guard)
            self._begin_look()
            self._marking = False
            """New gradients are told from old ones in every step, and not in sampled ones only."""
            self.latest = LatestSample()
            undo.pop_all()

    def before_step(self, k: int) -> None:
        """Look at weights that optimizer k is about to change, if it is their turn."""
        self._writes.begin_step(k)
        if self.looks.looking:
            held = self.members.set_of(k)
            # What was applied before the step does not change in it, and yet it changes.
            self.looks.before_step(held - self._released.known, self._coming_step())

    def after_step(self, k: int, step: int) -> None:
        """Look at weights after optimizer k's part of ``step``, if it is their turn."""
        self._rounds.stepped(k, step)
        self.looks.after_step()

    def measure(self, k: int) -> None:
        """Measure the gradients that optimizer k is about to apply, if it is their turn."""
        if not self.schedule.sampling or capturing():
            return
        # A GradScaler sets these on a fused optimizer for the time of its step.
        scale = getattr(self._optimizers[k], "grad_scale", None)
        found_inf = getattr(self._optimizers[k], "found_inf", None)
        scale = scale if isinstance(scale, Tensor) else None
        self.sampler.measure(
            self.members.held_by(k),
            scale,
            k=k,
            may_skip=isinstance(found_inf, Tensor),
            may_be_old=self._writes.may_be_old(k),
        )
        if self.focus.looking:
            self.focus.measure(self.members.set_of(k), scale)
        if self.looks.looking:
            self.looks.measure(self.members.set_of(k))
        if self._onset.wants_look or self.sampler.sees_nonfinite:
            self._onset.look(self._coming_step())

    def measure_calm(self, k: int) -> bool:
        """Measure what optimizer k is about to apply, if that tells nothing new; else nothing.

        Return whether it was measured.
        """
        optimizer = self._optimizers[k]
        # As a GradScaler sets them on a fused optimizer for the time of its step.
        scale, found = getattr(optimizer, "grad_scale", None), getattr(optimizer, "found_inf", None)
        if not (scale is None and found is None) or self.unmarked or capturing():
            return False
        held = self.members.held_by(k)
        return self.sampler.measure_calm(held, may_be_old=self._writes.may_be_old(k))

    @property
    def is_calm(self) -> bool:
        """Whether what was measured so is all that there is: nothing was added since."""
        self.members.catch_up()
        return self.sampler.repeats_all

    def pass_calm(self, k: int, step: int, spent: float) -> None:
        """Account for ``step`` of optimizer k that was measured so; the next is of its kind."""
        self._writes.retire_step(k, self.members.held_by(k), mark=True)
        self.schedule.pass_step(step, spent, sampled=True)

    @property
    def onset(self) -> Onset | None:
        """When gradients stopped being finite; None while they are."""
        return self._onset.onset

    def any_nonfinite(self, k: int) -> bool:
        """Whether a gradient of optimizer k holds an infinity or a NaN; waits for the device."""
        if capturing():
            return False
        held = self.members.held_by(k)
        found = self.sampler.any_nonfinite(held)
        if self._parts is None or all(self._table.parameters[i].grad is None for i in held):
            return found
        return self._parts.any(self._coming_step(), k, found)

    def retire(self, k: int, *, discarded: bool = False) -> None:
        """Take the gradients of optimizer k for used from here on, or ``discarded`` unused."""
        # Of several optimizers nobody knows whether the next step of this one is sampled.
        several = len(self._optimizers) > 1
        mark = self.schedule.sampling or self._marking or discarded or several
        if discarded or self._marking:
            self._writes.retire(self.members.held_by(k), mark=mark)
        else:
            self._writes.retire_step(k, self.members.held_by(k), mark=mark)

    def cleared(self, k: int, *, dropped: bool) -> None:
        """Take in that the script has called ``zero_grad`` of optimizer k.

        ``dropped``: it is known that no gradient is left.
        """
        self._writes.cleared(k, () if dropped else self.members.held_by(k))

    def mark_every_step(self, *, late: bool) -> None:
        """Tell new gradients from old ones in every step from here on.

        ``late``: those that are there belong to the coming step.
        """
        if not (self._marking or late):
            self._writes.retire(range(len(self._table)), mark=True)
        self._marking = True

    def mark_sampled_steps(self) -> None:
        """Tell new gradients from old ones in sampled steps only, from here on."""
        self._marking = False

    @property
    def persist(self) -> bool:
        """Whether gradients may stay from one step to the next, as far as is known."""
        return self._writes.persist

    def is_new(self, index: int, grad: Tensor) -> bool:
        """Whether a backward wrote this gradient since the last step used it."""
        return self._writes.is_new(index, grad)

    def untouched(self, grad: Tensor) -> bool:
        """Whether nothing has written to a gradient since an earlier step used it."""
        return self._writes.untouched(grad)

    def finish_sample(self, step: int, gated: frozenset[int], *, skipped: bool) -> None:
        """Complete the sample of ``step``; ``gated``: what gates kept without a gradient."""
        # First, so that its figures have arrived when the sample has.
        self.looks.finish(step)
        self.focus.finish(step, self._released.known)
        self.sampler.finish(step, gated, skipped=skipped, waiting=self._rounds.waiting(step))

    @property
    def awaits_values(self) -> bool:
        """Whether something has arrived, or is on its way, that a boundary has to take in.

        As samples, of which other ranks may have parts, and what conditions know of a device.
        """
        awaited = self.sampler.pending or self.metrics.awaits_device
        return bool(awaited) or self._parts is not None

    @property
    def rests(self) -> bool:
        """Whether nothing but samples is measured in the coming steps, of one process alone."""
        looked = self.looks.looking or self.focus.looking or self.focus.waits
        marked = self._marking or self._writes.hooking or self._released.known
        others = self._parts is not None or self.timer.follows_ends
        return not (looked or marked or others)

    @property
    def has_one_optimizer(self) -> bool:
        """Whether there is one optimizer."""
        return len(self._optimizers) == 1

    def collect(self, *, wait: bool = False) -> tuple[list[Measured], list[MetricValues]]:
        """Return what has arrived on the host since the last time."""
        samples = self.sampler.collect(wait=wait)
        if self._parts is not None:
            samples = self._parts.merge(samples, wait=wait)
        measured = [self._with_looks(sample) for sample in samples]
        for each in measured:
            self.latest.receive(each.sample)
            self._onset.receive(each.sample)
        return measured, self.metrics.collect(wait=wait)

    def end_step(self, step: int, spent: float, *, sampled: bool, late: bool) -> None:
        """Account for a step, in which the probe took ``spent`` seconds, and plan the next."""
        if self.focus.waits:
            # Until it is granted: the wait ends when a look begins.
            self.schedule.ask(step)
        beside = self.focus.take_seconds()
        self.schedule.end_step(step, spent, sampled=sampled, beside=beside)
        if not late:
            self._retire_loose(mark=self.schedule.sampling or self._marking)
        self._released.step_ended()
        self._begin_look()

    def pass_step(self, step: int, spent: float, *, sampled: bool) -> None:
        """Account for a step behind which the next is of its kind, and nothing else is measured."""
        self.schedule.pass_step(step, spent, sampled=sampled)
        if sampled:
            self._retire_loose(mark=True)

    def remove(self) -> None:
        """Remove every hook and mark."""
        self._changes.remove()
        self._writes.remove()
        self._released.remove()
        self.looks.stop()
        self.focus.stop()
        self.timer.remove()

    def _retire_loose(self, *, mark: bool) -> None:
        """Take the gradients that no optimizer applies for old."""
        loose = self.members.known_loose
        if loose:
            self._writes.retire(loose, mark=mark)

    def _begin_look(self) -> None:
        if self.schedule.sampling:
            self.looks.begin()
            self.focus.begin()

    def _with_looks(self, sample: Sample) -> Measured:
        movement, units = self.looks.collect(sample.step, skipped=sample.skipped)
        if movement is not None:
            seen = {UPDATE_RATIO: movement.update_ratio, WEIGHT_NORM: movement.weight_norm}
            sample = replace(sample, values={**sample.values, **seen})
        return Measured(sample, movement, units, self.focus.collect(sample.step))

    def _sizes(self) -> list[int]:
        removed = self._table.removed
        return [
            0 if index in removed or is_uninitialized(parameter) else parameter.numel()
            for index, parameter in enumerate(self._table.parameters)
        ]

    def _changed(self, rows: Sequence[TableRow]) -> None:
        self._writes.forget(self._table.removed)
        self._released.forget(self._table.removed)
        self.looks.forget(self._table.removed)
        self._table_changed(rows)
