"""What of an optimizer moves a weight that no new gradient asks to move."""

from __future__ import annotations

from typing import Literal

Gradient = Literal["none", "zeros", "some"]
"""What a ``.grad`` holds."""


def mover(gradient: Gradient, decay: float, *, remembers: bool) -> str:
    """Say what does, as the end of a sentence; ``remembers``: it has a memory of gradients."""
    if gradient == "some":
        return "it is applied again in each step"
    if decay:
        return f"its weight decay of {decay:g} works wherever there is a gradient"
    if remembers:
        return "its memory of earlier gradients (momentum) works wherever there is a gradient"
    return "it works wherever there is a gradient"
