"""What every detector is: it is shown records one after the other, and finds events in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from ..protocol.events import EventKind
from .finding import Finding
from .records import Record
from .thresholds import Thresholds


class Detector(ABC):
    """Finds events of one kind in one run; it reads and writes nothing, and its state is bounded.

    A detector is shown every record of its `records`, in the order in which they are stored.
    """

    kind: ClassVar[EventKind]
    records: ClassVar[tuple[type, ...]]
    bundled: ClassVar[bool] = True
    """Whether many within a minute are added to the latest; otherwise each is told."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds

    @abstractmethod
    def find(self, record: Record) -> Iterable[Finding]:
        """Return the events that a record makes."""

    def state(self) -> dict[str, Any]:
        """Return what has to be kept over a restart: arrays, and what JSON can hold."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027 - most have nothing to keep
        """Take up what was kept."""
