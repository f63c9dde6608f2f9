"""Weights that a useful gradient does not move, and weights that move without one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..base.states import State
from ..diagnosis.case import Finding
from ..live.alerts import Alert
from ..model.movement import Movement
from ..model.sample import GRAD_NORM, Sample
from ..model.stretches import values_of
from ..model.table import ParameterTable
from .close_look import Look
from .close_verdicts import PATIENCE, CloseVerdicts
from .groups import Groups
from .learning_rates import LearningRates
from .rate_verdicts import RateVerdicts
from .step_places import StepPlaces
from .streaks import Streaks
from .suspects import Suspects
from .thresholds import Thresholds
from .verdicts import BY_SCRIPT, Verdict, Verdicts


class Updates:
    """Follows samples and movements, and looks closely at what is suspect: a source of alerts.

    Suspect is a weight that has stayed as it was over looks between which its gradient was
    useful and applied, and one that has moved over looks in which it had none. The steps in
    between may have been others, so a verdict is given only on a step that was looked at.
    """

    def __init__(
        self,
        table: ParameterTable,
        groups: Groups,
        rates: LearningRates,
        places: StepPlaces,
        thresholds: Thresholds,
        *,
        look_closely: Callable[[Iterable[int]], None],
        commanded: Callable[[], Collection[int]],
        expected: Callable[[], Collection[int]],
    ) -> None:
        """``look_closely``: at the coming step of these; ``commanded``: what is frozen by command;
        ``expected``: what is expected to train."""
        self._table = table
        self._groups = groups
        self._look_closely = look_closely
        self._commanded = commanded
        self._streaks = Streaks()
        self._verdicts = Verdicts(table, groups, self._streaks, places)
        self._close = CloseVerdicts(table, self._streaks, self._verdicts, thresholds)
        self._rates = RateVerdicts(
            table, groups, rates, self._streaks, self._verdicts, thresholds, expected
        )
        self._suspects = Suspects(
            self._streaks, self._verdicts, thresholds.samples, lambda: self._close.put_back
        )

    def finding(self, index: int) -> Finding | None:
        """Return what is wrong with what steps do to a parameter."""
        verdict = self._verdicts.current.get(index)
        return None if verdict is None or verdict.reason == BY_SCRIPT else verdict.finding

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of each weight; of those that the script moves as one."""
        yield from self._verdicts.tell(self._of_rates(1) if last else {})

    def receive(self, stretch: Sequence[Sample]) -> None:
        """Take in the states of samples in a row, which are the same."""
        sample = stretch[-1]
        if sample.skipped:
            return
        self._groups.all()
        useful = sample.having(State.PRESENT)
        useful &= self._groups.held[: len(useful)]
        self._streaks.receive(sample, useful, len(stretch))
        norms = values_of(stretch, GRAD_NORM)
        if norms is not None:
            self._close.take_norms(norms, useful)
        due = self._suspects.due(sample.step)
        if due:
            self._look_closely(due)

    def receive_movement(self, movement: Movement) -> None:
        """Take in which weights have moved since the looks before."""
        self._streaks.receive_movement(movement)
        self._verdicts.drop(self._table.removed | set(self._commanded()))
        self._verdicts.current.update(self._of_rates(PATIENCE))
        still = self._lasting(self._streaks.still, PATIENCE)
        roaming = self._lasting(self._streaks.roaming, PATIENCE)
        for index in roaming:
            if self._groups.of(index) is None:
                self._verdicts.take_mover(index)
        self._look_closely(self._suspects.choose((*still, *roaming)))

    def receive_looks(self, looks: Iterable[Look]) -> None:
        """Take in what one step did to suspects."""
        for look in looks:
            self._close.judge(look)
            self._suspects.settle(look)

    def _of_rates(self, patience: int) -> dict[int, Verdict]:
        return self._rates.judge(self._lasting(self._streaks.still, 1), patience)

    def _lasting(self, streak: npt.NDArray[np.int64], patience: int) -> list[int]:
        gone = self._table.removed | set(self._commanded())
        return [int(i) for i in np.flatnonzero(streak >= patience) if i not in gone]
