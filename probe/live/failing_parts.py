"""Parts of the probe that fail again and again are switched off, and that is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.guard import Guard
from ..base.weak_methods import while_alive
from .alerts import Alert

logger = logging.getLogger("gradgate")

MOST = 10
"""Steps in which a part may fail."""
ROOT = Path(__file__).parents[1]
SHARED = ("base", "torch_compat", "model", "measure", "distributed")
"""Rooms that parts work with: a fault in there is the part's that has called."""
CAUSE = "switched_off"


@dataclass(frozen=True)
class Part:
    """A part that can be switched off."""

    lost: str
    """What is not done from then on, as a clause."""
    places: tuple[str, ...]
    """Its files and rooms, from the probe's own folder on."""
    switch_off: Callable[[], None]
    """Can be called twice."""


@dataclass
class _Record:
    first: int
    """The step of the first fault."""
    latest: int
    steps: int = 1
    """In which there was one."""
    error: str = ""
    """The latest."""


class FailingParts:
    """Counts the steps in which each part has failed, and switches off who fails in too many.

    A fault is told by the guard that kept it from the job. Whose it is its traceback says, so that
    who does not fail pays nothing.
    """

    def __init__(self, guard: Guard, step: Callable[[], int]) -> None:
        """``step``: the step that what happens now belongs to."""
        # Weakly: hooks that outlive a run, and keep nothing of it alive, have the guard.
        guard.listener = while_alive(self.receive, lambda _: None)
        self._guard = guard
        self._step = step
        self._parts: list[Part] = []
        self._records: dict[str, _Record] = {}
        self._off: dict[Part, Alert] = {}
        """Those that are off, with what is told of them."""
        self.due: list[Part] = []
        """Those that are to be switched off at the next boundary."""

    def add(self, part: Part) -> None:
        """Take in a part."""
        self._parts.append(part)

    def receive(self, error: Exception) -> None:
        """Take in a fault."""
        part, step = self._part_of(error), self._step()
        if part is None:
            return
        record = self._records.get(part.lost)
        if record is None:
            record = self._records[part.lost] = _Record(step, step)
        elif record.latest != step:
            record.steps, record.latest = record.steps + 1, step
        record.error = f"{type(error).__name__}: {error}".partition("\n")[0]
        if record.steps >= MOST and part not in self._off and part not in self.due:
            self.due.append(part)

    def switch_off(self) -> None:
        """Switch off those that are due, between two steps."""
        due, self.due = self.due, []
        for part in due:
            sentence, since = self._sentence(part), self._records[part.lost].first
            told = Alert(None, None, since, cause=CAUSE, detail=sentence, level="note")
            self._off[part] = told
            self._guard.undo(part.switch_off)
            logger.error("gradgate: %s", sentence)

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of those that are off."""
        yield from self._off.values()

    def _part_of(self, error: Exception) -> Part | None:
        """Return the innermost part in which it was raised; None where that is no part's."""
        for place in _places(error):
            for part in self._parts:
                if any(place == each or place.startswith(f"{each}/") for each in part.places):
                    return part
            if not place.startswith(tuple(f"{room}/" for room in SHARED)):
                return None
        return None

    def _sentence(self, part: Part) -> str:
        record = self._records[part.lost]
        return (
            f"{part.lost[0].upper()}{part.lost[1:]}: this part of Gradgate failed in "
            f"{record.steps} steps, first in step {record.first} ({record.error}), and is switched "
            "off. Training and everything else go on. Please report it with the traceback in the "
            "job's log."
        )


def _places(error: Exception) -> list[str]:
    """Return where in the probe a fault was raised, from its own folder on, innermost first."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(ROOT):
            found.append(file.relative_to(ROOT).as_posix())
        traceback = traceback.tb_next
    return found[::-1]
