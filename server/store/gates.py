"""The rows of a run's gates."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..protocol.gates import Gate, GateRow
from .guard import readable
from .parameter_table import parameter_names
from .runs import run_record

NAMES = 20


def gate_rows(connection: Connection, run: str) -> list[GateRow]:
    """Return every gate of a run as the job last reported it; raises `UnknownRun`."""
    gates = readable(
        run_record(connection, run).gates,
        Gate.model_validate,
        lambda item: f"gate {item.get('id')} of run {run}",
    )
    names = parameter_names(connection, run) if any(gate.parameters for gate in gates) else []
    return [_row(gate, names) for gate in gates]


def _row(gate: Gate, names: Sequence[str]) -> GateRow:
    first = [names[position] for position in gate.parameters[:NAMES]]
    count = len(gate.parameters)
    return GateRow.model_validate({**gate.model_dump(), "parameters": first, "count": count})
