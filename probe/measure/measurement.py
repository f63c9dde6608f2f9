"""What is measured of a run: samples, metrics, the time of backward, and what all that costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..model.changes import ModelChanges
from ..model.freeze import Freeze
from ..model.membership import Membership
from ..model.parameter_info import ParameterInfo, describe
from ..model.sample import GRAD_MAX, Sample
from ..model.table import ParameterTable, TableRow
from ..torch_compat.readback import capturing
from .backward_timer import BackwardTimer, BackwardTiming
from .metrics import MetricLog, MetricValues
from .pace import Meter, Pace
from .sampler import Sampler
from .write_tracker import WriteTracker


class Measurement:
    """Measures the steps that are its turn, and keeps account of its own cost.

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
    ) -> None:
        """``coming_step``: the step that what happens now belongs to."""
        self._optimizers = optimizers
        self._table = table
        self._table_changed = table_changed
        self._changes = ModelChanges(models, table, step=coming_step)
        self.members = Membership(table, optimizers, self._changes, changed=self._changed)
        self._writes = WriteTracker(table.parameters)
        self._sampler = Sampler(table, self._writes, guard, catch_up=self.members.catch_up)
        self._timer = BackwardTimer(models.values(), guard, backward_ended)
        self._timer.arm()
        self._metrics = MetricLog(guard)
        self.meter = Meter()
        self.pace = pace
        self.sampling = pace.due(1)
        """Whether the coming step is measured."""
        self.must_sample = False
        """The coming step is sampled whether its turn has come or not."""
        self.beside_the_pace = False
        """What the present step took says nothing of other steps: one of them was traced."""
        self.marking = False
        """Whether new gradients are to be told from old ones in every step."""
        self._latest: Sample | None = None
        self._latest_maxima: npt.NDArray[np.float32] | None = None

    def log(self, step: int, metrics: Mapping[str, object]) -> bool:
        """Note metrics; return whether so many wait that they should be collected."""
        self._metrics.add(step, metrics)
        return self._metrics.full

    @property
    def latest_metrics(self) -> Mapping[str, float]:
        """The latest value of each metric, by the name that conditions know it by."""
        return self._metrics.latest

    @property
    def latest(self) -> Sample | None:
        """The latest sample that has arrived on the host."""
        return self._latest

    def measure(self, k: int) -> None:
        """Measure the gradients that optimizer k is about to apply, if it is their turn."""
        if not self.sampling or capturing():
            return
        # A GradScaler sets these on a fused optimizer for the time of its step.
        scale = getattr(self._optimizers[k], "grad_scale", None)
        found_inf = getattr(self._optimizers[k], "found_inf", None)
        self._sampler.measure(
            self.members.held_by(k),
            scale if isinstance(scale, Tensor) else None,
            may_skip=isinstance(found_inf, Tensor),
        )

    def any_nonfinite(self, k: int) -> bool:
        """Whether a gradient of optimizer k holds an infinity or a NaN; waits for the device."""
        return not capturing() and self._sampler.any_nonfinite(self.members.held_by(k))

    def spend(self, k: int, *, discarded: bool = False) -> None:
        """Note that optimizer k has used its gradients, or that they were thrown away."""
        # Of several optimizers nobody knows whether the next step of this one is sampled.
        mark = self.sampling or self.marking or discarded or len(self._optimizers) > 1
        self._writes.spend(self.members.held_by(k), mark=mark)

    def mark(self, *, late: bool) -> None:
        """From here on tell new gradients from old ones in every step.

        ``late``: those that are there belong to the coming step.
        """
        if not (self.marking or late):
            self._writes.spend(range(len(self._table)), mark=True)
        self.marking = True

    @property
    def persist(self) -> bool:
        """Whether gradients may stay from one step to the next, as far as is known."""
        return self._writes.persist

    def is_new(self, index: int, grad: Tensor) -> bool:
        """Whether a backward wrote this gradient since the last step used it."""
        return self._writes.is_new(index, grad)

    def finish(self, step: int, gated: frozenset[int], *, skipped: bool) -> None:
        """Complete the sample of ``step``; ``gated``: what gates kept without a gradient."""
        self._sampler.finish(step, gated, skipped=skipped)

    def arm(self) -> None:
        """Put the timer's hooks behind those that others have added since."""
        self._timer.arm()

    def backwards(self, step: int) -> list[BackwardTiming]:
        """What the backward of ``step``, which has ended, and of earlier ones took."""
        return self._timer.step_ended(step)

    def collect(self, *, wait: bool = False) -> tuple[list[Sample], list[MetricValues]]:
        """What has arrived on the host since the last time."""
        samples = self._sampler.collect(wait=wait)
        for sample in samples:
            self._latest = sample
            self._latest_maxima = sample.values.get(GRAD_MAX, self._latest_maxima)
        return samples, self._metrics.collect(wait=wait)

    def settle(self, step: int, spent: float, *, sampled: bool, late: bool) -> None:
        """Account for a step, in which the probe took ``spent`` seconds, and plan the next."""
        seconds = self.meter.record(time.perf_counter(), spent)
        if not self.beside_the_pace:
            self.pace.record(step, seconds, spent, sampled=sampled)
        self.beside_the_pace = False
        self.sampling = self.pace.due(step + 1) or self.must_sample
        if not late:
            self._writes.spend(self.members.loose, mark=self.sampling or self.marking)

    def parameters(self, freezes: Mapping[int, Freeze]) -> Iterable[ParameterInfo]:
        """Every parameter as of the latest sample."""
        for index, row in enumerate(self.members.rows):
            yield describe(index, row, freezes.get(index), self._latest, self._latest_maxima)

    def remove(self) -> None:
        """Remove every hook and mark."""
        self._changes.remove()
        self._writes.remove()
        self._timer.remove()

    def _changed(self, rows: Sequence[TableRow]) -> None:
        self._writes.forget(self._table.removed)
        self._table_changed(rows)
