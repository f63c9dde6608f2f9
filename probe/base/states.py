"""The state of a parameter's gradient at a step."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """Exactly one per parameter and step; the values are the codes of the wire protocol."""

    UNMEASURED = 0
    """The parameter is new, and this step did not cover it."""
    PRESENT = 1
    ZERO = 2
    """Every element is exactly 0."""
    NONFINITE = 3
    ABSENT = 4
    """Trainable, and ``grad is None``."""
    STALE = 5
    """A gradient is there, but no backward wrote to it since the last step."""
    FROZEN = 6
    """``requires_grad`` is False, by the script or by a command."""
    GATED = 7
    """A closed gate kept the gradient away."""

    @property
    def word(self) -> str:
        """The name of the state as users see it."""
        return self.name.lower()
