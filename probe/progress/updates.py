"""Weights that a useful gradient does not move, and weights that move without one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..base.source import Place
from ..base.states import State
from ..diagnosis.case import Finding
from ..diagnosis.update_causes import MovedWithoutGradient, NotMoving
from ..live.alerts import Alert, Level, alert_of
from ..model.movement import Movement
from ..model.sample import GRAD_NORM, Sample
from ..model.table import ParameterTable
from .close_look import Look
from .groups import Groups
from .learning_rates import LearningRates, ZeroRate
from .movers import mover
from .step_places import StepPlaces
from .streaks import Streaks
from .thresholds import Thresholds

PATIENCE = 2
"""Looks in a row after which a weight is suspect."""
LONGEST_PAUSE = 64
"""Looks from one that clears a suspect to the next at the same, at most."""
SPOT_CHECKS = 4
"""Weights that are looked at closely though they are not suspect, now and then."""
MOSTLY = 0.5
"""Share of a weight's elements."""
PUT_BACK, HELD, MOSTLY_ROUNDED = "put back", "held at a bound", "mostly rounded"
CHECKED = (PUT_BACK, HELD, MOSTLY_ROUNDED)
"""The reasons of verdicts that hold until the next close look, since others do not show them."""
BY_SCRIPT = "script"
"""The reason of a verdict on what the script itself moves, which is mostly meant."""
LEAST_USUAL_NORM = 0.1
"""To which gradients are clipped, as the advice has it."""
ACCUMULATED = 10
"""Steps over which an optimizer may gather gradients before it writes."""


@dataclass(frozen=True)
class _Cleared:
    """A suspect that was looked at, and is not to be for a while."""

    until: int
    """A number of a look."""
    pause: int


@dataclass(frozen=True)
class Verdict:
    """What steps do to one parameter, and ought not to."""

    finding: Finding
    since_step: int
    level: Level
    reason: str
    """A word for it: of notes with the same, one is told for each group of parameters."""


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
        self._rates = rates
        self._places = places
        self._limits = thresholds
        self._look_closely = look_closely
        self._commanded = commanded
        self._expected = expected
        self._streaks = Streaks()
        self._cleared: dict[int, _Cleared] = {}
        self._undecided: dict[int, int] = {}
        """Suspects that were looked at, and the step from which another look may tell more."""
        self._put_back: dict[int, int] = {}
        """Looks in a row that found the bits of before the step again, by parameter."""
        self._looks = 0
        self._totals: deque[float] = deque(maxlen=thresholds.samples)
        """Norms of all gradients together, of the latest samples."""
        self.verdicts: dict[int, Verdict] = {}
        """By parameter."""

    def finding(self, index: int) -> Finding | None:
        """Return what is wrong with what steps do to a parameter."""
        verdict = self.verdicts.get(index)
        return None if verdict is None or verdict.reason == BY_SCRIPT else verdict.finding

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of each weight; of those that the script moves as one."""
        verdicts = self.verdicts
        if last:
            verdicts = {**self._of_rates(1), **verdicts}
        notes: dict[tuple[str, object], list[int]] = {}
        for index, each in sorted(verdicts.items()):
            if each.level == "alert":
                yield self._alert(index, each)
            else:
                group = self._groups.of(index)
                key = each.reason, None if group is None else group.key
                notes.setdefault(key, []).append(index)
        for indexes in notes.values():
            first = verdicts[indexes[0]]
            more = f" The same holds for {len(indexes) - 1} more." if len(indexes) > 1 else ""
            yield self._alert(indexes[0], first, more)

    def receive(self, sample: Sample) -> None:
        """Take in the states of a sample."""
        if sample.skipped:
            return
        self._groups.all()
        useful = sample.states == State.PRESENT
        useful &= self._groups.held[: len(useful)]
        self._streaks.receive(sample, useful)
        norms = sample.values.get(GRAD_NORM)
        if norms is not None:
            self._totals.append(float(np.linalg.norm(norms[useful].astype(np.float64))))
        due = [index for index, step in self._undecided.items() if step <= sample.step]
        if due:
            self._look_closely(due)

    def receive_movement(self, movement: Movement) -> None:
        """Take in which weights have moved since the looks before."""
        self._looks += 1
        self._streaks.receive_movement(movement)
        self._drop()
        still = self._suspects(self._streaks.still, PATIENCE)
        self.verdicts.update(self._of_rates(PATIENCE))
        roaming = self._suspects(self._streaks.roaming, PATIENCE)
        for index in roaming:
            if self._groups.of(index) is None:
                self._take_mover(index)
        suspects = [i for i in (*still, *roaming) if i not in self.verdicts]
        wanted = [*(i for i in suspects if not self._rests(i)), *self._spot_checks()]
        self._look_closely(dict.fromkeys(wanted))

    def _spot_checks(self) -> list[int]:
        """Choose some trained weights; all, with those first at which a check has found something.

        That a weight is put back after each step shows in no look, which comes right after one.
        """
        due = self._looks & (self._looks - 1) == 0
        if not (due or self._put_back):
            return []
        trained = [int(i) for i in np.flatnonzero(self._streaks.trained)]
        unjudged = [i for i in trained if self._reason(i) in (None, *CHECKED)]
        turn = self._looks % max(1, len(unjudged))
        if self._put_back:
            found = [index for index in unjudged if index in self._put_back]
            return [*found, *unjudged[turn:], *unjudged[:turn]]
        stride = max(1, len(unjudged) // SPOT_CHECKS)
        return unjudged[self._looks.bit_length() % stride :: stride]

    def _reason(self, index: int) -> str | None:
        verdict = self.verdicts.get(index)
        return None if verdict is None else verdict.reason

    def receive_looks(self, looks: Iterable[Look]) -> None:
        """Take in what one step did to suspects."""
        for look in looks:
            self._undecided.pop(look.index, None)
            self._judge(look)
            moves = look.moved and self._streaks.still[look.index]
            if look.index in self.verdicts:
                continue
            if moves or self._streaks.roaming[look.index]:
                self._clear(look.index)
            elif look.put_back:
                self._undecided[look.index] = self._streaks.step + 1
            elif self._streaks.still[look.index]:
                lasted = int(self._streaks.since[look.index]) + self._limits.samples
                self._undecided[look.index] = max(lasted, self._streaks.step + 1)

    def _drop(self) -> None:
        """Drop the verdicts that hold no longer."""
        gone = self._table.removed | set(self._commanded())
        for index, verdict in list(self.verdicts.items()):
            if verdict.reason in CHECKED and index not in gone:
                continue
            moves = verdict.finding.cause == MovedWithoutGradient.word
            streak = self._streaks.roaming if moves else self._streaks.still
            if streak[index] == 0 or index in gone:
                del self.verdicts[index]

    def _suspects(self, streak: npt.NDArray[np.int64], patience: int) -> list[int]:
        gone = self._table.removed | set(self._commanded())
        return [int(i) for i in np.flatnonzero(streak >= patience) if i not in gone]

    def _rests(self, index: int) -> bool:
        """Return whether a suspect was looked at a short while ago."""
        cleared = self._cleared.get(index)
        waits = self._undecided.get(index, 0) > self._streaks.step
        return waits or (cleared is not None and self._looks < cleared.until)

    def _clear(self, index: int) -> None:
        """Let a suspect rest, longer each time."""
        before = self._cleared.get(index, _Cleared(0, 0))
        pause = min(max(2 * before.pause, 1), LONGEST_PAUSE)
        self._cleared[index] = _Cleared(self._looks + pause, pause)

    def _of_rates(self, patience: int) -> dict[int, Verdict]:
        """Judge the weights whose group has a learning rate of 0.

        One look is enough where it was above 0 before; ``patience``: looks in a row elsewhere.
        """
        found = {}
        for index in self._suspects(self._streaks.still, 1):
            group = self._groups.of(index)
            zero = None if group is None else self._rates.zero(group.key)
            if zero and (zero.was_positive or self._streaks.still[index] >= patience):
                found[index] = self._of_rate(index, zero)
        return found

    def _of_rate(self, index: int, zero: ZeroRate) -> Verdict:
        name, place = self._table.name(index), self._place(index)
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

    def _judge(self, look: Look) -> None:
        """Give a verdict on what one step did, or none."""
        if look.trainable and look.gradient == "some":
            if look.untouched:
                if self._streaks.idle[look.index]:
                    self._judge_stale(look)
            elif not self._check(look) and self._streaks.still[look.index]:
                self._judge_still(look)
        elif look.gradient != "none" and look.moved:
            self._judge_idle(look)
        elif look.moved_after:
            self._take_mover(look.index)

    def _check(self, look: Look) -> bool:
        """Return whether the step was undone, or lost on most elements; give a verdict on that."""
        index = look.index
        name, place = self._table.name(index), self._place(index)
        if self._reason(index) in CHECKED:
            del self.verdicts[index]
        if look.put_back:
            self._put_back[index] = self._put_back.get(index, 0) + 1
        else:
            self._put_back.pop(index, None)
        if self._put_back.get(index, 0) >= PATIENCE:
            if look.outward:
                finding = NotMoving.held(name, look.optimizer, place)
                self._take(index, finding, "note", HELD)
            else:
                finding = NotMoving.put_back(name, look.optimizer, place)
                self._take(index, finding, "alert", PUT_BACK)
        elif _is_mostly_lost(look):
            finding = NotMoving.mostly_rounded(name, self._dtype(index), look.lost, place)
            self._take(index, finding, "note", MOSTLY_ROUNDED)
        return look.put_back

    def _judge_still(self, look: Look) -> None:
        """Say why a useful gradient, which a step has applied, does not move its weight."""
        name, place = self._table.name(look.index), self._place(look.index)
        if look.moved:
            return
        if look.size is not None and look.size.largest < 1:
            self._judge_small(look, look.size.largest)
        elif not look.written:
            since = int(self._streaks.since[look.index])
            if self._streaks.step - since >= ACCUMULATED:
                finding = NotMoving.not_written(name, look.optimizer, place)
                self._take(look.index, finding, "alert", "not written")
        elif self._streaks.still[look.index] >= self._limits.samples:  # else by chance, perhaps
            finding = NotMoving.unexplained(name, look.optimizer, place)
            self._take(look.index, finding, "note", "unexplained")

    def _judge_small(self, look: Look, size: float) -> None:
        """Say why an update is smaller than half the spacing of floats."""
        name, place = self._table.name(look.index), self._place(look.index)
        if look.size_in_float32 is not None and look.size_in_float32.largest >= 1:
            finding = NotMoving.rounded(name, self._dtype(look.index), place)
            self._take(look.index, finding, "alert", "rounded")
        elif self._is_clipped_away(size):
            finding = NotMoving.clipped(name, self._totals[-1], place)
            self._take(look.index, finding, "alert", "clipped")
        elif len(self._totals) == self._totals.maxlen:
            is_bias = self._table.parameters[look.index].dim() == 1
            finding = NotMoving.tiny(name, size, place, is_bias=is_bias)
            self._take(look.index, finding, "note", "tiny")

    def _judge_stale(self, look: Look) -> None:
        if look.moved:
            place = self._place(look.index)
            name = self._table.name(look.index)
            finding = MovedWithoutGradient.stale(name, look.optimizer, place)
            self._take(look.index, finding, "alert", "stale")

    def _judge_idle(self, look: Look) -> None:
        """Say what of an optimizer moves a weight that has no useful gradient."""
        name, place = self._table.name(look.index), self._place(look.index)
        what = mover(look.gradient, look.decay, remembers=look.remembers)
        if look.trainable:
            finding = MovedWithoutGradient.zeros(name, look.optimizer, what, place)
            self._take(look.index, finding, "note", "zeros")
        else:
            finding = MovedWithoutGradient.frozen(name, look.optimizer, what, place)
            self._take(look.index, finding, "alert", "frozen")

    def _is_clipped_away(self, size: float) -> bool:
        """Return whether clipping makes an update of this size too small for any float.

        All gradients together have then had the same norm in each of the latest samples, and with
        the least that is usual the update would be large enough: else its own gradient is small.
        """
        full = len(self._totals) == self._totals.maxlen and len(self._totals) > 1
        clipped = full and max(self._totals) - min(self._totals) <= 1e-3 * max(self._totals)
        return clipped and size * LEAST_USUAL_NORM >= self._totals[-1]

    def _take(self, index: int, finding: Finding, level: Level, reason: str) -> None:
        self.verdicts[index] = Verdict(finding, int(self._streaks.since[index]), level, reason)
        self._cleared.pop(index, None)

    def _take_mover(self, index: int) -> None:
        finding = MovedWithoutGradient.by_script(self._table.name(index))
        self._take(index, finding, "note", BY_SCRIPT)

    def _dtype(self, index: int) -> str:
        return str(self._table.parameters[index].dtype).removeprefix("torch.")

    def _place(self, index: int) -> Place | None:
        group = self._groups.of(index)
        return None if group is None else self._places.of(group.key[0])

    def _alert(self, index: int, verdict: Verdict, more: str = "") -> Alert:
        name = self._table.name(index)
        alert = alert_of(verdict.finding, index, name, verdict.since_step, verdict.level)
        return replace(alert, detail=f"{alert.detail}{more}")


def _is_mostly_lost(look: Look) -> bool:
    """Return whether most elements did not move, and would have in float32."""
    wide = look.size_in_float32
    return look.moved and wide is not None and look.lost >= MOSTLY > wide.lost
