"""Detectors of events without a store: records in, findings out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gradgate.server.events.finding import Finding
from gradgate.server.events.records import MetricsRecord, Record, TotalsRecord
from gradgate.server.events.watch import Watch
from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.protocol.totals import Totals

Sampled = Callable[..., list[Finding]]
"""Shows a sample of the next step, and returns what is found in it."""


def told(watch: Watch, message: dict[str, Any]) -> list[Finding]:
    """Show what was logged or total norms, and return what is found in them."""
    model = Totals if message["type"] == "totals" else Metrics
    frame = model.model_validate_json(json.dumps({"seq": 1, "time": 1.0, **message}))
    record: Record = TotalsRecord(frame) if isinstance(frame, Totals) else MetricsRecord(frame)
    return watch.see(record)
