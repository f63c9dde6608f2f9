"""The routes of gates and their trials."""

from __future__ import annotations

from ...protocol.gates import GateRows
from ...protocol.trials import Trial, TrialRequest
from ...store.gates import gate_rows
from ..dependencies import PartsOf, ReadRunOf, RunOf, StoreOf


def list_gates(run: ReadRunOf, store: StoreOf) -> GateRows:
    """Every gate as the job last reported it."""
    with store.read() as connection:
        return GateRows(gates=gate_rows(connection, run))


async def post_trial(run: RunOf, asked: TrialRequest, parts: PartsOf) -> Trial:
    """How a gate would have fared over what is recorded, asked of the job; nothing is made."""
    return await parts.hub.requests.trial(run, asked)
