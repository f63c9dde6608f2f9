"""The lines of the script that call the optimizers' steps."""

from __future__ import annotations

from ..base.source import Callers, Place


class StepPlaces:
    """Remembers for each optimizer, by its number, the line that called its step first."""

    def __init__(self) -> None:
        self._callers = Callers()
        self._places: dict[int, Place | None] = {}

    def look(self, k: int) -> None:
        """Look who calls the step of optimizer k, unless that is known; from inside that step."""
        if k not in self._places:
            chain = self._callers.chain()
            self._places[k] = chain.user or chain.place

    def of(self, k: int) -> Place | None:
        """Return the line of optimizer k; None where it was not seen."""
        return self._places.get(k)
