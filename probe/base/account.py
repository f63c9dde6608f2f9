"""The time that the probe takes of the thread that trains."""

from __future__ import annotations

from time import perf_counter


class Account:
    """Adds up the seconds in what something else calls of the probe's: of nested calls once.

    Hooks in a thread of the engine's count as well: the one that trains waits for them. Calls in
    two threads at the same time are counted as one.
    """

    __slots__ = ("began", "spent")

    def __init__(self) -> None:
        self.began: float | None = None
        """When the outermost call under way began, or was accounted for; None between calls."""
        self.spent = 0.0
        """Seconds since the last :meth:`take`, without those of the call under way."""

    def end(self) -> None:
        """Take in that the outermost call has ended."""
        began, self.began = self.began, None
        if began is not None:  # two threads began at once, and the other has ended
            self.spent += perf_counter() - began

    def take(self) -> float:
        """Return the seconds since the last time, those of the call under way included."""
        spent, self.spent = self.spent, 0.0
        if self.began is not None:
            now = perf_counter()
            spent += now - self.began
            self.began = now
        return spent
