"""The statistics of a sample, with their codes on the wire."""

from __future__ import annotations

from enum import IntEnum


class Statistic(IntEnum):
    """A figure that a sample holds for every parameter."""

    GRAD_NORM = 1
    GRAD_MAX = 2
    GRAD_NORM_LOW = 129
    GRAD_NORM_HIGH = 130

    @property
    def label(self) -> str:
        """The word that the REST API uses."""
        return self.name.lower()


STORED_STATISTICS = {
    statistic.label: statistic for statistic in (Statistic.GRAD_NORM, Statistic.GRAD_MAX)
}
STATES_CODE = 0
"""The store's own code for the states: never a statistic of a frame."""


LIVE_CODES = (129, 130)
"""The lowest and highest norm, in frames to a browser only."""
