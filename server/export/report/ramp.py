"""The log scale of gradient norms and the ramp that colours it, as in the page.

Cividis: Nuñez, Anderton and Renslow, "Optimizing colormaps with consideration for color vision
deficiency", PLOS ONE 13(7), 2018.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# The same in static/model/norm_scale.js.
CIVIDIS = (
    (0, 32, 76),
    (0, 42, 102),
    (0, 52, 110),
    (39, 63, 108),
    (60, 74, 107),
    (76, 85, 107),
    (91, 95, 109),
    (104, 106, 112),
    (117, 117, 117),
    (131, 129, 120),
    (146, 141, 120),
    (161, 154, 118),
    (176, 167, 114),
    (192, 181, 107),
    (208, 196, 96),
    (225, 212, 80),
    (243, 227, 55),
)
LEVELS = 48
"""Colours that are told apart."""
_OUTLIERS = 0.01
_FEWEST_DECADES = 2


def ramp_colors() -> list[str]:
    """Return the colours of the levels, the lowest first."""
    table = np.array(CIVIDIS, float)
    along = np.linspace(0, len(table) - 1, LEVELS)
    channels = [np.interp(along, np.arange(len(table)), channel) for channel in table.T]
    return [
        "#" + "".join(f"{round(each):02x}" for each in rgb) for rgb in zip(*channels, strict=True)
    ]


def decade_domain(norms: NDArray[np.float32]) -> tuple[int, int]:
    """Return the exponents of whole decades that hold the norms, but for a few at either end."""
    # A float32 of 0.01 is a little less.
    logs = np.sort(np.log10(norms[norms > 0].astype(float)).round(6))
    if not len(logs):
        return -4, 0
    trimmed = int(len(logs) * _OUTLIERS)
    low, high = math.floor(logs[trimmed]), math.ceil(logs[len(logs) - 1 - trimmed])
    while high - low < _FEWEST_DECADES:
        low -= 1
        high += int(high - low < _FEWEST_DECADES)
    return low, high


def levels(norms: NDArray[np.float32], domain: tuple[int, int]) -> NDArray[np.int8]:
    """Return the level of each norm, -1 where there is none."""
    plottable = norms > 0
    logs = np.log10(np.where(plottable, norms, 1).astype(float))
    share = np.clip((logs - domain[0]) / (domain[1] - domain[0]), 0, 1)
    found: NDArray[np.int8] = np.where(plottable, share * (LEVELS - 1) + 0.5, -1).astype(np.int8)
    return found
