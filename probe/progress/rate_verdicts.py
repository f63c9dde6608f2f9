"""Verdicts on weights whose learning rate is 0."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from ..diagnosis.update_causes import NotMoving
from ..model.table import ParameterTable
from .groups import Groups
from .learning_rates import LearningRates, ZeroRate
from .streaks import Streaks
from .thresholds import Thresholds
from .verdicts import Verdict, Verdicts


class RateVerdicts:
    """Says of weights that do not move that their learning rate is 0, and by what."""

    def __init__(
        self,
        table: ParameterTable,
        groups: Groups,
        rates: LearningRates,
        streaks: Streaks,
        verdicts: Verdicts,
        thresholds: Thresholds,
        expected: Callable[[], Collection[int]],
    ) -> None:
        """``expected``: what is expected to train."""
        self._table = table
        self._groups = groups
        self._rates = rates
        self._streaks = streaks
        self._verdicts = verdicts
        self._limits = thresholds
        self._expected = expected

    def judge(self, still: Iterable[int], patience: int) -> dict[int, Verdict]:
        """Return the verdicts on those of ``still`` whose group has a learning rate of 0.

        One look is enough where it was above 0 before; ``patience``: looks in a row elsewhere.
        """
        found = {}
        for index in still:
            group = self._groups.of(index)
            zero = None if group is None else self._rates.zero(group.key)
            if zero and (zero.was_positive or self._streaks.still[index] >= patience):
                found[index] = self._verdict(index, zero)
        return found

    def _verdict(self, index: int, zero: ZeroRate) -> Verdict:
        name, place = self._table.name(index), self._verdicts.place(index)
        if zero.schedule is None:
            finding = NotMoving.learning_rate(name, zero.optimizer, place)
            grave = self._rates.all_zero or index in self._expected()
        elif zero.was_positive:
            where = zero.schedule.place or place
            finding = NotMoving.schedule_ended(name, zero.schedule.name, zero.since_step, where)
            grave = False
        else:
            where = zero.schedule.place or place
            finding = NotMoving.schedule_not_begun(name, zero.schedule.name, where)
            grave = self._streaks.step - zero.since_step >= self._limits.warmup_steps
        return Verdict(finding, zero.since_step, "alert" if grave else "note", "learning rate")
