"""Gates as plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import CommandError
from ..gates.registry import MOST, GateRegistry
from ..model.commands import GateCommand, UngateCommand
from ..model.limit import Limit
from ..model.selection import Selection
from ..steer.limits import Limits
from ..steer.steering import Steering

FIELDS = ("site", "when", "action", "factor", "max_norm", "hold", "paused", "by")
MEMORY = {
    "closed": (bool,),
    "held": (int,),
    "norm_avg": (float, type(None)),
    "metrics": (dict,),
}
"""What a gate remembers, and of which types it is."""
NUMBER = (int, float, type(None))
HIGHEST = 1_000_000
"""The number of a gate, at most."""


@dataclass(frozen=True)
class RestoredGate:
    """A gate of a checkpoint."""

    command: GateCommand
    """Makes it, or changes the gate of its number."""
    memory: Mapping[str, Any]


def gates_to_state(
    gates: GateRegistry, limits: Limits, step: int, metrics: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return every gate with what it remembers after ``step``."""
    return [
        {
            "id": gate.id,
            **{name: gate.as_message()[name] for name in FIELDS},
            **gate.decider.memory(step + 1, metrics),
            "limit": limits.remaining(gate.settings.limit, step),
        }
        for gate in gates.all()
    ]


def gates_from_state(
    state: Mapping[str, Any], gates: GateRegistry
) -> tuple[list[UngateCommand], list[RestoredGate]]:
    """Return what removes the gates that a state has not, and its own; nothing is done.

    Of a state that was made before gates were in it, nothing. Raises :class:`CommandError` for
    what is no state, and as :meth:`GateRegistry.check` does.
    """
    items = state.get("gates")
    if items is None:
        return [], []
    if not isinstance(items, list) or len(items) > MOST or not all(map(_is_gate, items)):
        raise CommandError(
            "the gates in this state are not as run.state_dict() returned them; give that."
        )
    kept = {item["id"] for item in items}
    removed = [
        UngateCommand(f"gate {info.id}", info.id, by="python")
        for info in gates.infos()
        if info.id not in kept
    ]
    restored = []
    for item in items:
        number = item["id"] if gates.get(item["id"]) is not None else None
        fields = {name: item[name] for name in FIELDS}
        command = GateCommand(
            item["site"], gate=number, reserved=item["id"], limit=Limit.from_message(item), **fields
        )
        command.check()
        gates.check(command, restored=True)
        restored.append(RestoredGate(command, {name: item[name] for name in MEMORY}))
    return removed, restored


def restore_gate(
    gates: GateRegistry, steering: Steering, restored: RestoredGate, step: int
) -> None:
    """Make or change a gate that was checked, as of the latest ``step``."""
    command = restored.command
    if command.gate is None:
        command = replace(command, reserved=_promised(gates, command.reserved or 0))
    steering.apply_now(command, Selection([]), step)
    number = command.reserved if command.gate is None else command.gate
    gate = None if number is None else gates.get(number)
    if gate is not None:
        gate.decider.restore(restored.memory, step + 1)


def _promised(gates: GateRegistry, wanted: int) -> int:
    """Promise the number ``wanted`` to a gate, or another where it was given away before."""
    number = gates.reserve()
    while number < wanted:
        number = gates.reserve()
    return number


def _is_gate(item: object) -> bool:
    return (
        isinstance(item, Mapping)
        and item.keys() >= {"id", *FIELDS, *MEMORY}
        and isinstance(item["id"], int)
        and 0 < item["id"] <= HIGHEST
        and isinstance(item["hold"], int)
        and all(isinstance(item[name], NUMBER) for name in ("factor", "max_norm"))
        and all(isinstance(item[name], str) for name in ("site", "when", "action", "by"))
        and all(isinstance(item[name], kinds) for name, kinds in MEMORY.items())
    )
