"""What can be taken out of a run: in which formats, and which tables."""

from __future__ import annotations

from typing import Literal, get_args

TableFormat = Literal["parquet", "csv"]
TableName = Literal[
    "run",
    "parameters",
    "metrics",
    "commands",
    "gates",
    "explanations",
    "alerts",
    "samples",
]
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
TABLES: tuple[TableName, ...] = get_args(TableName)
"""Every table in the order in which they are written, the largest last."""
