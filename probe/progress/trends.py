"""Trends over samples, told as notes: one of a kind for each group of parameters."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
from torch import nn

from ..base.states import State
from ..diagnosis.case import Finding
from ..diagnosis.update_causes import DeadUnits as DeadUnitsCause
from ..diagnosis.update_causes import Exploding, UpdateRatio, Vanishing
from ..live.alerts import Alert, alert_of
from ..measure.dead_units import PATIENCE
from ..model.dead_units import DeadUnits
from ..model.modules import module_paths
from ..model.movement import Movement
from ..model.sample import GRAD_NORM, Sample
from ..model.stretches import values_of
from ..model.table import ParameterTable
from .groups import Group, Groups
from .learning_rates import rate_of
from .thresholds import Thresholds

_LAYERS = 4
"""Layers that a group needs at least to have a depth."""
_USUAL = (1e-4, 1e-2)
"""The usual range of an update's norm to the weight's."""


@dataclass(frozen=True)
class _Trend:
    """A trend of one group, and the parameter that shows it best."""

    finding: Finding
    parameter: int
    since_step: int


@dataclass(frozen=True)
class _Growth:
    """Gradients have grown, and have not come down since."""

    before: float
    """Their norm before that."""
    trend: _Trend


@dataclass
class _History:
    """What the latest samples and looks had of one group."""

    steps: deque[int]
    totals: deque[float]
    """By sample: norm of all of the group's gradients together."""
    ratios: deque[float]
    """By look: the median update ratio of the group's weights."""
    parameters: bytes
    """The indexes of those of the group; where they change, all begins anew."""
    weights_norm: float = 0.0
    """Of all of the group's weights together, as of the latest looks; 0 before the first."""
    looks: int = 0
    vanished: int = 0
    """Samples in a row in which the first layers got next to nothing."""
    growth: _Growth | None = None
    """Of its gradients."""


class Trends:
    """Follows samples and movements, and tells of trends: a source of notes."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        groups: Groups,
        table: ParameterTable,
        thresholds: Thresholds,
    ) -> None:
        self._models = models
        self._groups = groups
        self._table = table
        self._limits = thresholds
        self._histories: dict[tuple[int, int], _History] = {}
        self._weight_norms = np.zeros(0)
        """By parameter: as of the latest look; NaN where there was none."""
        self._useful = np.zeros(0, np.bool_)
        """By parameter: whether it had a useful gradient in the latest sample."""
        self._dead: dict[int, DeadUnits] = {}
        self._found: dict[tuple[str, tuple[int, int]], _Trend] = {}

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of each trend that lasts."""
        for trend in self._found.values():
            name = self._table.name(trend.parameter)
            yield alert_of(trend.finding, trend.parameter, name, trend.since_step, "note")

    def receive(self, stretch: Sequence[Sample]) -> None:
        """Take in the norms of samples in a row, and tell what one of them or more have shown."""
        sample = stretch[-1]
        if sample.skipped:
            return
        self._useful = sample.having(State.PRESENT)
        norms = values_of(stretch, GRAD_NORM)
        if norms is None:
            return
        useful = np.where(self._useful & (norms > 0), norms, 0.0).astype(np.float64)
        for group in self._groups.all():
            if group.indexes[-1] < len(sample.states):
                self._follow(group, [each.step for each in stretch], useful)

    def receive_movement(self, movement: Movement) -> None:
        """Take in how large steps were for the weights."""
        count = len(movement.weight_norm)
        known = np.full(count, np.nan)
        known[: len(self._weight_norms)] = self._weight_norms[:count]
        looked = ~np.isnan(movement.weight_norm)
        known[looked] = movement.weight_norm[looked]
        self._weight_norms = known
        for group in self._groups.all():
            self._history(group).weights_norm = self._weights_norm(group)
        if movement.skipped:
            return
        for group in self._groups.all():
            weights = group.weights[group.weights < min(count, len(self._useful))]
            weights = weights[self._useful[weights]]  # what is left of a momentum is no step
            ratios = movement.update_ratio[weights]
            ratios = ratios[movement.stepped[weights] & (ratios > 0) & np.isfinite(ratios)]
            if len(ratios):
                history = self._history(group)
                self._take_ratio(group, history, median(ratios.tolist()))
                self._put(UpdateRatio.word, group, self._unusual(group, history, movement.step))

    def receive_dead_units(self, dead: DeadUnits) -> None:
        """Take in the rows of a weight that get no gradient, if its rows are output units."""
        share = dead.dead_rows / max(dead.rows, 1)
        lasts = dead.looks >= min(self._limits.samples, PATIENCE)
        large = self._limits.dead_units <= share < 1
        told = lasts and large and self._has_output_units(dead)
        if not told and dead.parameter not in self._dead:
            return
        if told:
            self._dead[dead.parameter] = dead
        else:
            del self._dead[dead.parameter]
        group = self._groups.of(dead.parameter)
        if group is not None:
            self._put(DeadUnitsCause.word, group, self._worst_units(group))

    def _has_output_units(self, dead: DeadUnits) -> bool:
        """Return whether a weight is a linear or convolutional layer's, and no table of words."""
        path = self._table.name(dead.parameter).rpartition(".")[0]
        owner = module_paths(self._models).get(path)
        sizes = getattr(owner, "out_features", None), getattr(owner, "out_channels", None)
        return dead.rows in sizes

    def _history(self, group: Group) -> _History:
        n = self._limits.samples
        mine = group.indexes.tobytes()
        history = self._histories.get(group.key)
        if history is None or history.parameters != mine:
            history = _History(deque(maxlen=2 * n), deque(maxlen=2 * n), deque(maxlen=n), mine)
            self._histories[group.key] = history
        return history

    def _put(self, word: str, group: Group, trend: _Trend | None) -> None:
        key = word, group.key
        if trend is None:
            self._found.pop(key, None)
        else:  # it began with the first that was found of it
            before = self._found.get(key)
            since = trend.since_step if before is None else before.since_step
            self._found[key] = _Trend(trend.finding, trend.parameter, since)

    def _put_all(self, word: str, group: Group, trends: Sequence[_Trend | None]) -> None:
        """Put what each of some samples has shown; what ends among them is told behind them."""
        shown: _Trend | None = None
        for trend in trends or (None,):
            self._put(word, group, trend)
            shown = self._found.get((word, group.key), shown)
        if shown is not None:
            self._found[word, group.key] = shown

    def _follow(self, group: Group, steps: Sequence[int], norms: npt.NDArray[np.float64]) -> None:
        """Take in the ``norms`` of samples, [samples, parameters]: 0 where there is no gradient."""
        history, mine = self._history(group), norms[:, group.indexes]
        totals = np.linalg.norm(mine, axis=1).tolist()
        may_explode = self._may_explode(history, totals)
        weights, ratios = _by_depth(group, norms)
        exploding, vanishing = list[_Trend | None](), list[_Trend | None]()
        for step, total, now, ratio in zip(steps, totals, mine, ratios, strict=True):
            history.steps.append(step)
            history.totals.append(total)
            if may_explode:
                exploding.append(self._exploding(group, history, now))
            if ratio is not None:
                vanishing.append(self._vanishing(weights, history, ratio))
        self._put_all(Exploding.word, group, exploding)
        self._put_all(Vanishing.word, group, vanishing)

    def _may_explode(self, history: _History, totals: Sequence[float]) -> bool:
        """Return whether it is worth while to look at each of some samples that have come."""
        every = [*history.totals, *totals]
        highest, weights = max(every), history.weights_norm
        large = weights > 0 and highest >= self._limits.exploding_ratio * weights
        grown = highest >= self._limits.exploding * min(every)
        return large or grown or history.growth is not None

    def _exploding(
        self, group: Group, history: _History, norms: npt.NDArray[np.float64]
    ) -> _Trend | None:
        """Compare the latest samples with those before, and with the weights; ``norms``: now."""
        if len(history.totals) < self._limits.samples:
            return None
        worst = int(group.indexes[np.argmax(norms)])
        self._grow(group, history, worst)
        if history.growth is not None:
            return history.growth.trend
        n, weights = self._limits.samples, history.weights_norm
        ratio = median(list(history.totals)[-n:]) / weights if weights > 0 else 0.0
        if ratio < self._limits.exploding_ratio:
            return None
        finding = Exploding.large(group.label, self._table.name(worst), ratio)
        return _Trend(finding, worst, history.steps[-n])

    def _grow(self, group: Group, history: _History, worst: int) -> None:
        """Follow a growth: from samples all of which are above those before, until it is undone."""
        n, totals, growth = self._limits.samples, list(history.totals), history.growth
        late, early, weights = totals[-n:], totals[:-n], history.weights_norm
        now, before = median(late), median(early) if len(early) == n else 0.0
        # What grows from next to nothing, as behind a layer that begins with zeros, is healthy.
        notable = now >= 0.1 * weights if weights > 0 else now >= 1
        apart = before > 0 and min(late) > max(early)
        if notable and apart and now / before >= self._limits.exploding:
            name = self._table.name(worst)
            finding = Exploding.grown(group.label, name, now / before, 2 * n)
            first = before if growth is None else growth.before
            history.growth = _Growth(first, _Trend(finding, worst, history.steps[-n]))
        elif growth and now > 0 and not (notable and now / growth.before >= self._limits.exploding):
            history.growth = None  # where there is nothing, as behind a NaN, nothing has come down

    def _weights_norm(self, group: Group) -> float:
        known = group.indexes[group.indexes < len(self._weight_norms)]
        return float(np.sqrt(np.nansum(self._weight_norms[known] ** 2)))

    def _vanishing(
        self, weights: npt.NDArray[np.int64], history: _History, ratio: float
    ) -> _Trend | None:
        """Follow the ratio of the first quarter of the layers to the last, by their ``weights``."""
        history.vanished = history.vanished + 1 if ratio < self._limits.vanishing else 0
        if history.vanished < self._limits.samples:
            return None
        first, final = int(weights[0]), int(weights[-1])
        finding = Vanishing.found(self._table.name(first), self._table.name(final), ratio)
        return _Trend(finding, first, history.steps[-min(len(history.steps), history.vanished)])

    def _take_ratio(self, group: Group, history: _History, ratio: float) -> None:
        history.looks += 1
        rate, peak = rate_of(group.options), group.options.get("initial_lr")
        annealed = rate is not None and isinstance(peak, (int, float)) and rate < peak / 10
        # The first steps of a weight that begins with zeros are large for it.
        starting = history.looks <= self._limits.samples and ratio > _USUAL[1]
        if annealed or starting:
            history.ratios.clear()
        else:
            history.ratios.append(ratio)

    def _unusual(self, group: Group, history: _History, step: int) -> _Trend | None:
        lowest, highest = self._limits.update_ratio
        if len(history.ratios) < self._limits.samples:
            return None
        if not (max(history.ratios) < lowest or min(history.ratios) > highest):
            return None
        ratio = median(history.ratios)
        finding = UpdateRatio.found(group.label, ratio, len(history.ratios), *_USUAL)
        return _Trend(finding, int(group.weights[0]), step)

    def _worst_units(self, group: Group) -> _Trend | None:
        mine = [dead for dead in self._dead.values() if self._groups.of(dead.parameter) is group]
        if not mine:
            return None
        worst = max(mine, key=lambda dead: dead.dead_rows / dead.rows)
        name = self._table.name(worst.parameter)
        finding = DeadUnitsCause.found(name, worst.dead_rows, worst.rows, worst.looks)
        return _Trend(finding, worst.parameter, worst.since_step)


def _by_depth(
    group: Group, norms: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], Sequence[float | None]]:
    """Compare gradients in the first quarter of the layers with those in the last.

    Of ``norms`` [samples, parameters], for each element of a weight. Return the weights that have a
    gradient, and how many times as large it is, by sample: None where there are too few layers.
    """
    there = norms[:, group.weights].all(axis=0)
    weights, sizes = group.weights[there], group.sizes[there]
    if len(weights) < _LAYERS:
        return weights, [None] * len(norms)
    quarter = len(weights) // 4
    means = norms[:, weights] / np.sqrt(sizes)
    with np.errstate(invalid="ignore"):  # those of float64 may be infinite in float32
        ratios = _medians(means[:, :quarter]) / _medians(means[:, -quarter:])
    return weights, ratios.tolist()


def _medians(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median of each row."""
    ordered, count = np.sort(rows, axis=1), rows.shape[1]
    middle: npt.NDArray[np.float64] = (ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2
    return middle
