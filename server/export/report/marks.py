"""The marks of states, as in the page: a glyph in a 16 x 16 box, a word, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...protocol.states import State


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state looks; `path` is filled or only stroked."""

    name: str
    meaning: str
    path: str
    filled: bool = False
    trouble: bool = False


_CIRCLE = "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z"
# The same in static/model/states.js.
MARKS: Mapping[State, Mark] = MappingProxyType(
    {
        State.NONFINITE: Mark(
            "nonfinite", "The gradient holds NaN or infinity.", "M8 2L14.5 13.5H1.5z", True, True
        ),
        State.ZERO: Mark(
            "zero", "Every element of the gradient is exactly 0.", _CIRCLE, trouble=True
        ),
        State.ABSENT: Mark(
            "absent",
            "Trainable, and its gradient is None.",
            "M3.5 3.5L12.5 12.5M12.5 3.5L3.5 12.5",
            trouble=True,
        ),
        State.STALE: Mark(
            "stale",
            "A gradient is there, but no backward wrote to it since the last step.",
            "M3.5 2.5H12.5L3.5 13.5H12.5z",
            trouble=True,
        ),
        State.GATED: Mark(
            "gated",
            "A closed gate kept the gradient away.",
            "M3 3H13V13H3zM3 3L13 13M3 13L13 3",
        ),
        State.FROZEN: Mark(
            "frozen",
            "Its requires_grad is False.",
            "M8 1.5V14.5M2.4 4.75L13.6 11.25M13.6 4.75L2.4 11.25",
        ),
        State.PRESENT: Mark(
            "present", "A finite gradient that is not all zeros.", _CIRCLE, filled=True
        ),
        State.UNMEASURED: Mark("unmeasured", "Not measured yet.", "M6.5 8h3"),
    }
)
"""Worst first."""
