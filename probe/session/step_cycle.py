"""A step of the job, from the forward to the optimizer's step and its end."""

from __future__ import annotations

from collections.abc import Sequence

from torch.optim import Optimizer

from ..base.guard import Guard
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..live.captured_steps import CapturedSteps
from ..live.explainer import Explainer
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..model.table import ParameterTable
from ..progress.progress import Progress
from ..steer.writers import SCRIPT, Writers
from ..torch_compat.readback import capturing
from .hook_runner import HookRunner
from .lull import Lull
from .run_state import RunState
from .step_end import StepEnd
from .unseen_steps import UnseenSteps


class StepCycle:
    """Does what is to be done around each optimizer's step: see :class:`boundaries.Stepping`.

    What only looks is guarded by itself: no fault there keeps the step from ending.

    A step that a CUDA graph is captured of is not made, only recorded, and no value of it can be
    read: nothing looks at it, and it ends no step of the run.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        state: RunState,
        measurement: Measurement,
        totals: StepTotals,
        freezer: Freezer,
        gates: Gates,
        writers: Writers,
        explainer: Explainer,
        progress: Progress,
        captured: CapturedSteps,
        lull: Lull,
        unseen: UnseenSteps,
        hooks: HookRunner,
        end: StepEnd,
        guard: Guard,
    ) -> None:
        self._optimizers = optimizers
        self._table = table
        self._state = state
        self._measurement = measurement
        self._totals = totals
        self._freezer = freezer
        self._gates = gates
        self._writers = writers
        self._explainer = explainer
        self._progress = progress
        self._captured = captured
        self._lull = lull
        self._unseen = unseen
        self._hooks = hooks
        self._end = end
        self._guard = guard

    def before_step(self, k: int) -> None:
        """Keep gradients of frozen parameters from optimizer k."""
        if self._unseen.looks_away():
            return
        self._state.begin_step()
        self._explainer.pause(True, k)
        members = self._measurement.members
        if self._freezer.records.freezes:
            self._freezer.clear_gradients(members.held_by(k))
        if self._gates.registry.changes:  # there are gates, or were
            self._gates.blocked.clear_gradients(members.held_by(k))
        if capturing():
            return
        if self._writers.watching:
            self._look(SCRIPT)
        self._measurement.before_step(k)
        with self._guard:
            self._progress.before_step(k, self._state.step + 1)

    def measure(self, k: int) -> None:
        """Measure the gradients of optimizer k: all if this step is sampled, else their norm."""
        if self._unseen.is_quiet:
            return
        with self._guard:
            self._measurement.measure(k)
        with self._guard:
            self._totals.measure(k)

    def stepped(self, k: int) -> None:
        """Look at what optimizer k has written, and whether to what is frozen."""
        if self._unseen.is_quiet or capturing():
            return
        self._measurement.after_step(k, self._state.step + 1)
        with self._guard:
            self._progress.stepped(k)
        if self._writers.watching:
            self._look(f"{type(self._optimizers[k]).__name__}.step()", stepped=True)

    def after_step(self, k: int) -> None:
        """Note that optimizer k has used its gradients."""
        if self._unseen.is_quiet:
            return
        self._measurement.retire(k)
        if not capturing():
            with self._guard:
                self._progress.after_step(k)
        self._explainer.pause(False, k)

    def boundary(self, *, late: bool) -> None:
        """End a step of the run."""
        if capturing():
            self._lull.end()  # who is told of it hears of the next step that is made
            with self._guard:
                self._captured.record()
            return
        with self._guard:  # a fault in looking must not keep the step from ending
            self._captured.step_made()
        self._end.run(late=late)

    def discarded(self, k: int) -> bool:
        """Take a non-finite gradient among those that are dropped for a step that AMP skipped."""
        if not self._measurement.any_nonfinite(k):
            return False
        self._end.run(skipped=True)
        self._measurement.retire(k, discarded=True)
        return True

    def cleared(self, k: int, *, dropped: bool) -> None:
        """Take in that the script has cleared the gradients of optimizer k."""
        if not capturing():
            self._measurement.cleared(k, dropped=dropped)

    def step_by_hand(self) -> None:
        """End a step of a run without an optimizer."""
        self._hooks.run(self._step_by_hand)

    def _step_by_hand(self) -> None:
        self._freezer.clear_gradients(range(len(self._table)))
        self._gates.blocked.clear_gradients(range(len(self._table)))
        with self._guard:
            self._totals.measure(None)
        self._end.run()

    def _look(self, writer: str, *, stepped: bool = False) -> None:
        if self._measurement.schedule.sampling or self._writers.pressing:
            with self._guard:
                self._writers.look(writer, self._state.step + 1, stepped=stepped)
