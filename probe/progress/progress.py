"""Whether steps train, put together: what is looked at around each step, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..diagnosis.case import Finding
from ..distributed.ranks import Ranks
from ..live.alerts import Alerts, AlertSource
from ..measure.look_budget import CLOSE_SHARE, LookBudget
from ..measure.measurement import Measurement
from ..model.dead_units import DeadUnits
from ..model.movement import Movement
from ..model.sample import Sample
from ..model.table import ParameterTable
from ..torch_compat.wrappers import Wrappers
from .close_look import CloseLook
from .groups import Groups
from .learning_rates import LearningRates
from .replicas import Replicas
from .skipped_steps import SkippedSteps
from .step_places import StepPlaces
from .thresholds import Thresholds
from .told_groups import ToldGroups
from .trends import Trends
from .uncleared import UnclearedGradients
from .updates import Updates


class Progress:
    """Takes the steps and what was measured to the parts that judge them; ``k`` is an optimizer."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        measurement: Measurement,
        ranks: Ranks | None,
        wrappers: Wrappers,
        alerts: Alerts,
        guard: Guard,
        thresholds: Thresholds,
        *,
        commanded: Callable[[], Collection[int]],
        expected: Callable[[], Collection[int]],
        send_groups: Callable[[int, list[dict[str, Any]]], None],
    ) -> None:
        """``commanded``: what is frozen by command; ``expected``: what is expected to train;
        ``send_groups``: what is told of the optimizers' groups, behind the step."""
        self._optimizers = optimizers
        self._measurement = measurement
        self._alerts = alerts
        self._guard = guard
        held_by = measurement.members.held_by
        groups = Groups(optimizers, table)
        self._told_groups = ToldGroups(groups, send_groups)
        self._places = StepPlaces()
        self._rates = LearningRates(optimizers)
        pace = measurement.schedule.pace
        close_budget = LookBudget(CLOSE_SHARE * pace.budget, room=pace.room)
        self._close = CloseLook(
            optimizers, table, groups, held_by, measurement.untouched, close_budget
        )
        self._updates = Updates(
            table,
            groups,
            self._rates,
            self._places,
            thresholds,
            look_closely=self._close.want,
            commanded=commanded,
            expected=expected,
        )
        self._uncleared = UnclearedGradients(optimizers, table, held_by, self._places, guard)
        self._skipped = SkippedSteps(thresholds.skipped_steps)
        self._trends = Trends(models, groups, table, thresholds)
        self.replicas = Replicas(models, table, ranks, wrappers, guard, thresholds.replica_steps)
        self._off = False
        self._sources: tuple[AlertSource, ...] = (
            self.replicas,
            self._skipped,
            self._uncleared,
            self._updates,
            self._trends,
        )
        for source in self._sources:
            alerts.add_source(source)
        self.replicas.boundary(0)

    def finding(self, index: int) -> Finding | None:
        """Return what is wrong with what steps do to a parameter, if anything is."""
        return self._updates.finding(index)

    @property
    def rests(self) -> bool:
        """Whether there is nothing to look at around the coming step, if that is not sampled."""
        looks = self._skipped.count or self._close.active or not self._uncleared.rests
        return self._off or not looks

    @property
    def looks_closely(self) -> bool:
        """Whether it looks at the coming step, and at what comes before the one behind it."""
        return self._close.active and not self._off

    def before_step(self, k: int, step: int) -> None:
        """Look at what optimizer k is about to apply as ``step``, where somebody wants to know."""
        if self._off:
            return
        if self._skipped.count:
            self._skipped.begin_step(self._optimizers[k])
        if self._measurement.schedule.sampling:
            self._places.look(k)
            self._rates.read(k, step)
        if self._uncleared.watched:
            self._uncleared.before_step(k, step)
        if self._close.active:
            looks = self._close.before_step(k)
            if looks:
                self._updates.receive_looks(looks)
                self._alerts.update()

    def stepped(self, k: int) -> None:
        """Look at what the step of optimizer k, which is done, has written."""
        if self._close.active and not self._off:
            self._close.stepped(k)

    def after_step(self, k: int) -> None:
        """Look at what optimizer k leaves behind, after the end of the round if this ended it."""
        if self._off:
            return
        self._uncleared.after_step(k, sampled=self._measurement.schedule.sampling)

    def boundary(self, step: int) -> None:
        """Compare the ranks after ``step`` if it is time for that, and plan the coming steps."""
        if self._off:
            return
        self._close.plan()
        if self.replicas.boundary(step):
            self._alerts.update()

    def receive(self, stretch: Sequence[Sample]) -> None:
        """Take in samples in a row with the same states: see :func:`~.stretches.stretches`."""
        if self._off:
            return
        for receive in (self._skipped.receive, self._updates.receive, self._trends.receive):
            with self._guard:  # each alone: a fault in one must not keep it from the others
                receive(stretch)

    def tell_groups(self, step: int) -> None:
        """Tell of the optimizers' groups as ``step``, the latest, has applied them."""
        if not self._off:
            self._told_groups.tell(step)

    def receive_movement(self, movement: Movement) -> None:
        """Take in which weights have moved, after the sample of the same step."""
        if self._off:
            return
        for receive in (self._updates.receive_movement, self._trends.receive_movement):
            with self._guard:
                receive(movement)
        self._alerts.update()

    def receive_dead_units(self, dead: DeadUnits) -> None:
        """Take in units without a gradient."""
        if not self._off:
            self._trends.receive_dead_units(dead)

    def switch_off(self) -> None:
        """Judge nothing any more, and tell nothing of it."""
        self._off = True
        for source in self._sources:
            self._alerts.remove_source(source)
        self.remove()

    def remove(self) -> None:
        """Remove every hook."""
        self._uncleared.remove()
