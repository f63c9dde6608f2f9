"""What a gate does while it is closed: one entry an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class GateAction:
    """One action; `figure` is the field that it needs, which no other action has."""

    verb: str
    figure: str | None = None
    wanted: str = ""
    """What the figure may be."""
    preposition: str = ""
    """Stands between the action and its figure, as in `scale by 0.5`."""


ACTIONS: Mapping[str, GateAction] = {
    "block": GateAction("blocks"),
    "scale": GateAction("scales", "factor", "such as 0.5, or -1 to reverse", "by"),
    "clip": GateAction("clips", "max_norm", "a number above 0", "to"),
}
