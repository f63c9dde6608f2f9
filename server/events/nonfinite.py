"""The first NaN or infinity: in gradients, and in what the job logs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ..protocol.states import State
from ..protocol.totals import TotalFlag
from .detector import Detector
from .episodes import Episodes
from .finding import NAMES, Finding
from .records import MetricsRecord, Record, SampleRecord, TotalsRecord
from .thresholds import Thresholds

FOLLOWED = 1024
"""Metrics that are followed, the latest ones."""

_OF_A_GATE = re.compile(r"gate \d+ (closed|norm)$")


def is_loss(metric: str) -> bool:
    """Return whether a metric is a loss, by its name."""
    return "loss" in metric.lower()


class Nonfinite(Detector):
    """A gradient or a metric that is not finite, and was before."""

    kind = "nonfinite"
    records = (SampleRecord, MetricsRecord, TotalsRecord)

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._gradients = Episodes(thresholds.pause)
        self._metrics: dict[str, bool] = {}
        """The metrics that were not finite when they were last logged, in that order."""
        self._total = False
        """Whether the latest total was not finite."""
        self._sampled: deque[int] = deque(maxlen=FOLLOWED)
        """The latest steps of which a sample was not finite."""

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the events of a sample, of what was logged at a step, or of total norms."""
        if isinstance(record, SampleRecord):
            return self._in_sample(record)
        if isinstance(record, MetricsRecord):
            return self._in_metrics(record)
        if isinstance(record, TotalsRecord):
            return self._in_totals(record)
        return ()

    def state(self) -> dict[str, Any]:
        """Return what is not finite now."""
        return {**self._gradients.state(), "metrics": list(self._metrics), "total": self._total}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was not finite."""
        self._gradients.restore(state)
        self._metrics = dict.fromkeys(state["metrics"], True)
        self._total = state["total"]

    def _in_sample(self, record: SampleRecord) -> Iterator[Finding]:
        now = record.states == State.NONFINITE
        found = self._gradients.begin(record.number, now, ~now)
        if now.any():
            self._sampled.append(record.step)
        if len(found):
            # Loss scaling overflows now and then, and skips the step: that is how it works.
            skipped = ", which was skipped" if record.skipped else ""
            yield Finding(
                self.kind,
                "note" if record.skipped else "alert",
                record.time,
                record.step,
                f"NaN or infinity in the gradient of {NAMES} at step {record.step:,}{skipped}.",
                {"skipped": record.skipped},
                found,
            )

    def _in_totals(self, record: TotalsRecord) -> Iterator[Finding]:
        frame = record.frame
        for (step, norm), flags in zip(frame.points(), frame.flags, strict=True):
            before, self._total = self._total, norm is None or bool(flags & TotalFlag.NONFINITE)
            # What a sample of the same step shows is told with its parameters.
            if self._total and not before and step not in self._sampled:
                skipped = bool(flags & TotalFlag.SKIPPED)
                told = ", which was skipped" if skipped else ""
                yield Finding(
                    self.kind,
                    "note" if skipped else "alert",
                    frame.time,
                    step,
                    f"NaN or infinity in the gradients at step {step:,}{told}.",
                    {"skipped": skipped},
                )

    def _in_metrics(self, record: MetricsRecord) -> Iterator[Finding]:
        frame = record.frame
        found = []
        for name, value in frame.values.items():
            if value is not None:
                self._metrics.pop(name, None)
            elif not _OF_A_GATE.match(name) and name not in self._metrics:
                found.append(name)
                self._metrics[name] = True
        while len(self._metrics) > FOLLOWED:
            del self._metrics[next(iter(self._metrics))]
        if found:
            found.sort(key=lambda name: not is_loss(name))
            others = f" and {len(found) - 1:,} other metrics" if len(found) > 1 else ""
            yield Finding(
                self.kind,
                "alert" if is_loss(found[0]) else "note",
                frame.time,
                frame.step,
                f"{found[0]}{others} was logged as NaN or infinity at step {frame.step:,}.",
                {"metrics": found[:20]},
            )
