"""Every table of a run: a new one is an entry here, and its name in `protocol/exports.py`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..protocol.exports import TableName
from . import metrics, records, samples
from .columns import Table

BY_NAME: Mapping[TableName, Table] = MappingProxyType(
    {
        "run": records.RUN,
        "parameters": records.PARAMETERS,
        "metrics": Table(metrics.COLUMNS, metrics.metric_batches),
        "commands": records.COMMANDS,
        "gates": records.GATES,
        "explanations": records.EXPLANATIONS,
        "alerts": records.ALERTS,
        "events": records.EVENTS,
        "samples": Table(samples.COLUMNS, samples.sample_batches),
    }
)
