"""Names of parameters in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.wire_text import LONGEST_NAME, wire_name
from ..model.table import ParameterTable


def listed(table: ParameterTable, indexes: Sequence[int]) -> str:
    """Name the first of some parameters as the table is told, and say how many more there are."""
    first = wire_name(table.name(indexes[0]), LONGEST_NAME)
    return first if len(indexes) == 1 else f"{first} (and {len(indexes) - 1} more)"
