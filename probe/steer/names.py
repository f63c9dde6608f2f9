"""Names of parameters in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.table import ParameterTable


def listed(table: ParameterTable, indexes: Sequence[int]) -> str:
    """Name the first of some parameters, and say how many more there are."""
    first = table.name(indexes[0])
    return first if len(indexes) == 1 else f"{first} (and {len(indexes) - 1} more)"
