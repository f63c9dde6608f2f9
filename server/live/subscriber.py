"""What one browser still has to be sent; bounded, however slow the browser is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..protocol.frames import encode
from .band import Band
from .points import Points

COMMANDS = 100


@dataclass(slots=True)
class Pending:
    """News for a browser."""

    run: bool = False
    parameters: bool = False
    commands: set[int] = field(default_factory=set)
    gates: bool = False
    explanations: bool = False
    alerts: bool = False
    metrics: Points = field(default_factory=Points)
    frame: bytes | None = None


class Subscriber:
    """The mailbox of one browser; used from the event loop only."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._pending = Pending()
        self._band: Band | None = None

    def run_changed(self) -> None:
        """The row of the run changed."""
        self._pending.run = True
        self.news.set()

    def parameters_changed(self) -> None:
        """The table or what is frozen changed."""
        self._pending.parameters = True
        self.news.set()

    def commands_changed(self, ids: set[int]) -> None:
        """Commands are new or changed; the latest `COMMANDS` of them are told of."""
        self._pending.commands = set(sorted(self._pending.commands | ids)[-COMMANDS:])
        self.news.set()

    def gates_changed(self) -> None:
        """The gates, or what became of them, changed."""
        self._pending.gates = True
        self.news.set()

    def explanations_changed(self) -> None:
        """Another step was traced."""
        self._pending.explanations = True
        self.news.set()

    def alerts_changed(self) -> None:
        """The alerts changed."""
        self._pending.alerts = True
        self.news.set()

    def samples_arrived(self, band: Band, encoded: bytes) -> None:
        """New samples, as a band and as the frame that every browser without arrears gets."""
        if self._band is None:
            self._band = band
            self._pending.frame = encoded
        else:
            self._band = self._band.then(band)
            self._pending.frame = None
        self.news.set()

    def metrics_arrived(self, points: Points) -> None:
        """The user logged something."""
        self._pending.metrics.extend(points)
        self.news.set()

    def take(self) -> Pending:
        """All that is pending; from now on it counts as sent."""
        pending, self._pending = self._pending, Pending()
        band, self._band = self._band, None
        if band is not None and pending.frame is None:
            pending.frame = encode(band.sample())
        self.news.clear()
        return pending
