"""The rows of a run's parameters: its table, its latest sample and what is frozen, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ..protocol.parameters import FrozenRow, ParameterRow
from ..protocol.states import State
from .buckets import plain
from .explanations import causes
from .parameter_table import read_table
from .runs import run_record
from .samples import Latest, read_latest

_LABELS = [state.label for state in State]
_BY_SCRIPT = FrozenRow(by="script", mode="grad", hold_stats=False, since_step=None, command=None)


@dataclass(frozen=True, slots=True)
class ParameterColumns:
    """Every parameter of a run in model order, one entry each: the fields of its row."""

    names: Sequence[list[str]]
    module: Sequence[str]
    shape: Sequence[list[int]]
    numel: Sequence[int]
    dtype: Sequence[str]
    device: Sequence[str]
    in_optimizer: Sequence[bool]
    removed: Sequence[bool]
    frozen: Sequence[FrozenRow | None]
    gate: Sequence[int | None]
    cause: Sequence[str | None]
    latest: Latest


def parameter_columns(connection: Connection, run: str) -> ParameterColumns:
    """Return every parameter of a run; raises `UnknownRun`."""
    record = run_record(connection, run)
    table = read_table(connection, run)
    kinds = [table.kinds[place] for place in table.kind.tolist()]
    latest = read_latest(connection, run, len(table))
    held = _held(record.frozen)
    gates = _gates(record.gates)
    known = causes(connection, run)
    # A sample that came before the last change of what is frozen says nothing about it.
    current = record.sample_seq > record.frozen_seq
    states = latest.states.tolist()
    return ParameterColumns(
        names=table.all_names,
        module=[table.modules[place] for place in table.module.tolist()],
        shape=[each.shape for each in kinds],
        numel=[each.numel for each in kinds],
        dtype=[each.dtype for each in kinds],
        device=[each.device for each in kinds],
        in_optimizer=[each.in_optimizer for each in kinds],
        removed=[each.removed for each in kinds],
        frozen=[
            held.get(place)
            or (_BY_SCRIPT if _frozen_by_script(each.requires_grad, code, current) else None)
            for place, (each, code) in enumerate(zip(kinds, states, strict=True))
        ],
        gate=[
            gates.get(place) if code == State.GATED else None for place, code in enumerate(states)
        ],
        cause=[known.get(place) for place in range(len(table))],
        latest=latest,
    )


def parameter_rows(connection: Connection, run: str) -> list[ParameterRow]:
    """Return every parameter of a run in model order; raises `UnknownRun`."""
    found = parameter_columns(connection, run)
    latest = found.latest
    columns = {
        "names": found.names,
        "module": found.module,
        "shape": found.shape,
        "numel": found.numel,
        "dtype": found.dtype,
        "device": found.device,
        "in_optimizer": found.in_optimizer,
        "removed": found.removed,
        "state": [_LABELS[code] for code in latest.states.tolist()],
        "frozen": found.frozen,
        "grad_norm": plain(latest.grad_norm),
        "grad_max": plain(latest.grad_max),
        "update_ratio": plain(latest.update_ratio),
        "weight_norm": plain(latest.weight_norm),
        "gate": found.gate,
        "cause": found.cause,
    }
    return [
        ParameterRow(
            index=place,
            name=found.names[place][0],
            step=latest.step,
            **dict(zip(columns, row, strict=True)),
        )
        for place, row in enumerate(zip(*columns.values(), strict=True))
    ]


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
            limit=item.get("limit"),
        )
        held.update(dict.fromkeys(item["parameters"], row))
    return held


def _gates(gates: list[dict[str, Any]]) -> dict[int, int]:
    """Return the first gate of each parameter that got no gradient because of one."""
    return {place: gate["id"] for gate in reversed(gates) for place in gate["parameters"]}


def _frozen_by_script(requires_grad: bool, state: int, current: bool) -> bool:
    if state == State.UNMEASURED:
        return not requires_grad
    return state == State.FROZEN and (current or not requires_grad)
