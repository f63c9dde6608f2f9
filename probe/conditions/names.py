"""The names that conditions have: those of the language itself, and those of metrics."""

from __future__ import annotations

import keyword
import re

from .functions import FUNCTIONS

LONGEST_NAME = 512
"""Characters of the name of a metric at most, as conditions know it."""
NORMS = frozenset({"norm", "norm_avg"})
"""What is known once a gradient has arrived."""
BEFORE_GRADIENT = frozenset({"step", "closed"})
"""What is known before the gradient, and stays the same all step long."""
MOVEMENT = frozenset({"update_ratio", "weight_norm"})
"""What is known of a parameter: at its own site, as of the latest look at its weight."""
OWN_NAMES = NORMS | BEFORE_GRADIENT | MOVEMENT


def metric_name(name: str) -> str:
    """Return the name under which conditions know the metric ``name``.

    Characters other than A-Z a-z 0-9 and ``_`` become ``_``, and ``_`` goes before a leading
    digit. ``_`` goes behind a name that the language has itself (``lambda``, ``max``, ``norm``),
    so that such a metric is within reach and hides nothing.
    """
    replaced = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
    if replaced[0].isdigit():
        return f"_{replaced}"
    if keyword.iskeyword(replaced) or replaced in FUNCTIONS or replaced in OWN_NAMES:
        return f"{replaced}_"
    return replaced
