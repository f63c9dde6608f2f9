"""Steps of which a CUDA graph was captured: its replays call no hook, so nobody sees them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

from ..base.source import Callers
from .alerts import Alert

logger = logging.getLogger("gradgate")


class CapturedSteps:
    """Tells that the job's steps are in a CUDA graph, until it makes one again by itself."""

    def __init__(self, changed: Callable[[str | None], None]) -> None:
        """``changed`` is called with what is told from now on, None once a step was seen."""
        self._changed = changed
        self._callers = Callers()
        self._where: str | None = None
        self._told = False

    def record(self) -> None:
        """Take in that a step was captured; it was not made."""
        if not self._told:
            place = self._callers.chain(sys._getframe()).place
            self._where = None if place is None else place.text
            self._told = True
            logger.warning("gradgate: %s", self._detail())
            self._changed(self._detail())

    def step_made(self) -> None:
        """Take in that a step was made."""
        if self._told:
            self._told = False
            self._changed(None)

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of the run that its steps are captured, which no strict run fails by."""
        if self._told:
            yield Alert(
                None,
                None,
                0,
                cause="no_step",
                detail=self._detail(),
                where=self._where,
                level="note",
            )

    def _detail(self) -> str:
        at = "" if self._where is None else f" at {self._where}"
        return (
            f"The step{at} was captured in a CUDA graph, whose replays no hook sees: they are not "
            "measured, and no command reaches them. Freeze and gate before the capture, or make a "
            "step without the graph, at whose end commands are applied, and capture anew."
        )
