"""Spikes: the norm of a gradient, of all together, or a loss, far above what is usual."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..protocol.totals import TotalFlag
from .detector import Detector
from .episodes import Episodes
from .finding import NAMES, NOBODY, Finding
from .nonfinite import is_loss
from .records import MetricsRecord, Record, SampleRecord, TotalsRecord
from .running_median import RunningMedian
from .thresholds import Thresholds

LOSSES = 64
"""Losses that are followed, the first ones."""
STEPS = 1024
"""Sampled steps that are known to be spikes, the latest ones."""
_CALM = 0.5
"""A spike is over below such a part of what begins one."""


class Level:
    """One number that may spike: whether it does now."""

    def __init__(self, factor: float, high: bool = False) -> None:
        self._factor = factor
        self.high = high

    def rises(self, value: float, usual: float) -> bool:
        """Return whether a spike begins with a value, NaN for `usual` meaning that nobody knows."""
        limit = self._factor * usual
        was_high, self.high = self.high, self.high or (usual > 0 and value > limit)
        if value < _CALM * limit:
            self.high = False
        return self.high and not was_high


class Spike(Detector):
    """A value above so many times its running median."""

    kind = "spike"
    records = (SampleRecord, MetricsRecord, TotalsRecord)

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._factor = thresholds.spike
        self._gradients = Episodes(thresholds.pause)
        self._total = Level(self._factor)
        self._losses: dict[str, tuple[RunningMedian, Level]] = {}
        self._totals: dict[str, tuple[RunningMedian, Level]] = {}
        """The total norms of steps as they were told, before and after clipping."""
        self._sampled: deque[int] = deque(maxlen=STEPS)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the events of a sample, of what was logged at a step, or of total norms."""
        if isinstance(record, SampleRecord):
            return () if record.skipped else self._in_sample(record)
        if isinstance(record, MetricsRecord):
            return self._in_metrics(record)
        if isinstance(record, TotalsRecord):
            return self._in_totals(record)
        return ()

    def state(self) -> dict[str, Any]:
        """Return what is high now, and the latest losses."""
        return {
            **self._gradients.state(),
            "total": self._total.high,
            "losses": _kept(self._losses),
            "totals": _kept(self._totals),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept."""
        self._gradients.restore(state)
        self._total = Level(self._factor, state["total"])
        self._losses = self._taken_up(state["losses"])
        self._totals = self._taken_up(state["totals"])

    def _in_sample(self, record: SampleRecord) -> Iterator[Finding]:
        limits = np.float32(self.thresholds.parameter_spike) * record.usual
        with np.errstate(invalid="ignore"):
            high = record.present & (record.norms > limits)
            calm = record.present & (record.norms < np.float32(_CALM) * limits)
        found = self._gradients.begin(record.number, high, calm)
        rises = self._total.rises(record.total, record.usual_total)
        # Where the job tells the total norm of its steps, that is looked at instead.
        total = rises and (len(found) > 0 or not self._totals)
        if not total and not len(found):
            return
        self._sampled.append(record.step)
        figures: dict[str, Any] = {}
        if total:
            figures["total"] = _figures(record.total, record.usual_total, self._factor)
        sentence = f"The total gradient norm rose to {_told(record.total, record.usual_total)}"
        if len(found):
            ratios = record.norms[found] / record.usual[found]
            found = found[np.argsort(-ratios, kind="stable")]
            value, usual = float(record.norms[found[0]]), float(record.usual[found[0]])
            figures["largest"] = _figures(value, usual, self.thresholds.parameter_spike)
            also = f", and the total to {_told(record.total, record.usual_total)}" if total else ""
            several = f"norms of {NAMES} rose, that of the first"
            who = several if len(found) > 1 else f"norm of {NAMES} rose"
            sentence = f"The gradient {who} to {_told(value, usual)}{also}"
        yield Finding(
            self.kind,
            "alert",
            record.time,
            record.step,
            f"{sentence}, at step {record.step:,}.",
            figures,
            found if len(found) else NOBODY,
        )

    def _in_totals(self, record: TotalsRecord) -> Iterator[Finding]:
        frame = record.frame
        for (step, norm), flags in zip(frame.points(), frame.flags, strict=True):
            if norm is None or flags & TotalFlag.SKIPPED:
                continue
            clipped = bool(flags & TotalFlag.BEFORE_CLIPPING)
            found = self._follow(self._totals, "before clipping" if clipped else "applied", norm)
            # What a sample of the same step shows is told with its parameters.
            if found is not None and step not in self._sampled:
                before = ", before it was clipped," if clipped else ""
                yield Finding(
                    self.kind,
                    "alert",
                    frame.time,
                    step,
                    f"The total gradient norm{before} rose to {_told(norm, found)}, at step "
                    f"{step:,}.",
                    {
                        "before_clipping": clipped,
                        "total": _figures(norm, found, self._factor),
                    },
                )

    def _follow(
        self, followed: dict[str, tuple[RunningMedian, Level]], name: str, value: float
    ) -> float | None:
        """Take in a value; return what is usual when it begins a spike."""
        new = (RunningMedian(self.thresholds.settled), Level(self._factor))
        median, level = followed.setdefault(name, new)
        usual = median.usual()
        rises = level.rises(value, usual)
        median.add(value)
        return usual if rises else None

    def _taken_up(self, state: dict[str, Any]) -> dict[str, tuple[RunningMedian, Level]]:
        return {
            name: (
                RunningMedian(self.thresholds.settled, kept["values"]),
                Level(self._factor, kept["high"]),
            )
            for name, kept in state.items()
        }

    def _in_metrics(self, record: MetricsRecord) -> Iterator[Finding]:
        frame = record.frame
        for name, value in frame.values.items():
            if value is None or not math.isfinite(value) or not is_loss(name):
                continue
            if name not in self._losses and len(self._losses) == LOSSES:
                continue
            usual = self._follow(self._losses, name, value)
            if usual is not None:
                yield Finding(
                    self.kind,
                    "alert",
                    frame.time,
                    frame.step,
                    f"{name} rose to {_told(value, usual)}, at step {frame.step:,}.",
                    {"metric": name, **_figures(value, usual, self._factor)},
                )


def _kept(followed: dict[str, tuple[RunningMedian, Level]]) -> dict[str, Any]:
    return {
        name: {"values": list(median.values), "high": level.high}
        for name, (median, level) in followed.items()
    }


def _told(value: float, usual: float) -> str:
    return f"{value:.3g}, {value / usual:.3g} times its running median of {usual:.3g}"


def _figures(value: float, usual: float, factor: float) -> dict[str, float]:
    return {"value": value, "median": usual, "ratio": value / usual, "factor": factor}
