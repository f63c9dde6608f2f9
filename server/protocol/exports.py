"""What can be taken out of a run: in which formats, and which tables."""

from __future__ import annotations

from typing import Literal, get_args

TableFormat = Literal["parquet", "csv"]
Format = Literal[TableFormat, "html"]
TableName = Literal[
    "run",
    "parameters",
    "metrics",
    "commands",
    "gates",
    "explanations",
    "alerts",
    "events",
    "samples",
]
FORMATS: tuple[Format, ...] = get_args(Format)
"""Tables in a format each program reads, or a report that a person reads."""
TABLES: tuple[TableName, ...] = get_args(TableName)
"""Every table in the order in which they are written, the largest last."""
