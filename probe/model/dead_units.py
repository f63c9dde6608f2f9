"""Dead units: rows and columns of a weight whose gradient stays exactly zero."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeadUnits:
    """What was seen of one weight's gradient of two dimensions or more, in looks in a row."""

    parameter: int
    """Its place in the table."""
    step: int
    """The step of the latest look."""
    since_step: int
    """The step of the first of the looks in a row that are counted."""
    looks: int
    """How many looks those were: at most ``measure.dead_units.PATIENCE``, each of another step."""
    rows: int
    """Size of the first dimension: output units of a linear or convolutional layer."""
    dead_rows: int
    """Rows with nothing but exact zeros in each of the looks."""
    columns: int
    """Size of the second dimension: input units (of a transposed convolution: output units)."""
    dead_columns: int
    """Columns with nothing but exact zeros in each of the looks."""
