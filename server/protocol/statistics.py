"""The statistics of a sample, with their codes on the wire."""

from __future__ import annotations

from enum import IntEnum


class Statistic(IntEnum):
    """A figure that a sample holds for every parameter."""

    GRAD_NORM = 1
    GRAD_MAX = 2
    UPDATE_RATIO = 3
    WEIGHT_NORM = 4
    GRAD_NORM_LOW = 129
    GRAD_NORM_HIGH = 130

    @property
    def label(self) -> str:
        """Return the word that the REST API uses."""
        return self.name.lower()


STATES_CODE = 0
"""The store's own code for the states: never a statistic of a frame."""

LIVE_CODES = (int(Statistic.GRAD_NORM_LOW), int(Statistic.GRAD_NORM_HIGH))
"""The lowest and highest norm, in frames to a browser only."""

SHARED_OUT = (Statistic.UPDATE_RATIO, Statistic.WEIGHT_NORM)
"""Measured in each sample for a share of the parameters only, in turn."""

OCCASIONAL = (Statistic.GRAD_MAX, *SHARED_OUT)
"""Not in every sample: where a sample has none of them, nothing was missing."""

STORED_STATISTICS = {each.label: each for each in Statistic if each not in LIVE_CODES}
"""What the REST API has the history of, by its name there."""
