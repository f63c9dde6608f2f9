"""All detectors of one run together, and what of them has to be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..protocol.events import EventKind
from ..protocol.frames import Sample
from .detector import Detector
from .finding import Finding
from .norms import Norms
from .records import Record
from .registry import DETECTORS
from .thresholds import Thresholds

Ask = Callable[[Detector, Record], list[Finding] | None]
"""Shows a record to a detector; None when that failed."""


class Watch:
    """Shows every record to the detectors of its kind; one that fails is asked no more."""

    def __init__(self, thresholds: Thresholds, ask: Ask) -> None:
        self._norms = Norms(thresholds)
        self._detectors: dict[EventKind, Detector] = {
            kind: make(thresholds) for kind, make in DETECTORS.items()
        }
        self._ask = ask

    def see(self, record: Record) -> list[Finding]:
        """Return the events that a record makes."""
        found: list[Finding] = []
        for detector in tuple(self._detectors.values()):
            if isinstance(record, detector.records):
                events = self._ask(detector, record)
                if events is None:
                    del self._detectors[detector.kind]
                else:
                    found += events
        return found

    def see_sample(self, sample: Sample, number: int) -> list[Finding]:
        """Return the events that a sample makes; `number` counts the run's samples, from 0."""
        record = self._norms.record(sample, number)
        found = self.see(record)
        self._norms.add(record)
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """Return what has to be kept over a restart, of each kind."""
        kept: dict[str, dict[str, Any]] = {"norms": self._norms.state()}
        kept.update((kind, detector.state()) for kind, detector in self._detectors.items())
        return kept

    def restore(self, kept: dict[str, dict[str, Any]]) -> None:
        """Take up what was kept."""
        self._norms.restore(kept["norms"])
        for kind, detector in self._detectors.items():
            if kept.get(kind):
                detector.restore(kept[kind])
