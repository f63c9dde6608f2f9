"""The rows of a run's parameters: its table, its latest sample and what is frozen, together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from ..protocol.parameters import FrozenRow, ParameterRow
from ..protocol.states import State
from .buckets import plain
from .explanations import causes
from .runs import run_record
from .samples import read_latest
from .tables import parameters

_BY_SCRIPT = FrozenRow(by="script", mode="grad", hold_stats=False, since_step=None, command=None)


def parameter_rows(connection: Connection, run: str) -> list[ParameterRow]:
    """Return every parameter of a run in model order; raises `UnknownRun`."""
    record = run_record(connection, run)
    table = connection.execute(
        select(parameters).where(parameters.c.run == run).order_by(parameters.c.position)
    ).all()
    latest = read_latest(connection, run, len(table))
    norms, largest = plain(latest.grad_norm), plain(latest.grad_max)
    ratios, weights = plain(latest.update_ratio), plain(latest.weight_norm)
    held = _held(record.frozen)
    gates = _gates(record.gates)
    known = causes(connection, run)
    # A sample that came before the last change of what is frozen says nothing about it.
    current = record.sample_seq > record.frozen_seq
    rows = []
    for row, code in zip(table, latest.states.tolist(), strict=True):
        state = State(code)
        frozen = held.get(row.position)
        if frozen is None and _frozen_by_script(row, state, current):
            frozen = _BY_SCRIPT
        rows.append(
            ParameterRow(
                index=row.position,
                name=row.name,
                names=row.names,
                module=row.module,
                shape=row.shape,
                numel=row.numel,
                dtype=row.dtype,
                device=row.device,
                in_optimizer=row.in_optimizer,
                removed=row.removed,
                state=state.label,
                frozen=frozen,
                grad_norm=norms[row.position],
                grad_max=largest[row.position],
                update_ratio=ratios[row.position],
                weight_norm=weights[row.position],
                step=latest.step,
                gate=gates.get(row.position) if state is State.GATED else None,
                cause=known.get(row.position),
            )
        )
    return rows


def _held(frozen: list[dict[str, Any]]) -> dict[int, FrozenRow]:
    held: dict[int, FrozenRow] = {}
    for item in frozen:
        row = FrozenRow(
            by=item["by"],
            mode=item["mode"],
            # Stored by an earlier version, it has no such entry.
            hold_stats=item.get("hold_stats", False),
            since_step=item["since_step"],
            command=item["command"],
        )
        held.update(dict.fromkeys(item["parameters"], row))
    return held


def _gates(gates: list[dict[str, Any]]) -> dict[int, int]:
    """Return the first gate of each parameter that got no gradient because of one."""
    return {place: gate["id"] for gate in reversed(gates) for place in gate["parameters"]}


def _frozen_by_script(row: Row[Any], state: State, current: bool) -> bool:
    if state is State.UNMEASURED:
        return not row.requires_grad
    return state is State.FROZEN and (current or not row.requires_grad)
