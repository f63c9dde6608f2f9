"""A run's freezes and gates in the user's own checkpoint, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from ..base.errors import CommandError
from ..base.undo import Restore, whole
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..measure.measurement import Measurement
from ..model.commands import ParameterCommand, ThawCommand, UngateCommand
from ..model.modules import module_paths
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..steer.limits import Limits
from ..steer.rank_agreement import RankAgreement
from ..steer.steering import Steering
from .alignment import Alignment
from .delivery import Delivery
from .freeze_state import freezes_from_state, freezes_to_state
from .gate_state import RestoredGate, gates_from_state, gates_to_state, restore_gate
from .run_state import RunState
from .script_commands import BY

_OWN = ("metrics", "limit")
"""What each rank has for itself of a freeze or a gate."""


class Checkpoint:
    """Saves what commands brought about as plain values, and brings it about again."""

    def __init__(
        self,
        state: RunState,
        numbers: Iterator[int],
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        freezer: Freezer,
        gates: Gates,
        measurement: Measurement,
        steering: Steering,
        agreement: RankAgreement,
        limits: Limits,
        alignment: Alignment,
        delivery: Delivery,
    ) -> None:
        """``numbers``: those of the probe's own commands."""
        self._state = state
        self._numbers = numbers
        self._models = models
        self._table = table
        self._freezer = freezer
        self._gates = gates
        self._measurement = measurement
        self._steering = steering
        self._agreement = agreement
        self._limits = limits
        self._alignment = alignment
        self._delivery = delivery

    def save(self) -> dict[str, Any]:
        """Return what is frozen by command, every gate, and the step; waits for logged metrics."""
        self._delivery.send(wait=True)
        step, metrics = self._state.step, self._measurement.metrics.latest
        return {
            **freezes_to_state(self._freezer, self._table, self._limits, step),
            "gates": gates_to_state(self._gates.registry, self._limits, step, metrics),
            "step": step,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Bring about what :meth:`save` returned; all of it is checked before any is done."""
        if not (self._state.attached and self._state.at_boundary()):
            raise CommandError(
                "load_state_dict() takes effect at once, so call it in the training thread, "
                "between a step and the next forward; right after attach() is the best place."
            )
        wanted = freezes_from_state(state, self._table, module_paths(self._models))
        kept = {index for _, selection in wanted for index in selection.indexes}
        thawed = [index for index in self._freezer.records.freezes if index not in kept]
        if thawed:
            target = f"{len(thawed)} parameters not in the checkpoint"
            wanted.insert(0, (ThawCommand(target, by=BY), Selection(thawed)))
        for command, selection in wanted:
            self._freezer.check(selection, command.mode)
        removed, gates = gates_from_state(state, self._gates.registry)
        self._agreement.agree(self._state.step, {"load_state_dict": _without_figures(state)})
        first = state.get("step", 0) if self._state.step == 0 else self._state.step
        bring_about = partial(self._bring_about, wanted, state["held"], removed, gates, first)
        self._steering.do(bring_about)
        self._alignment.follow_gates()
        self._alignment.follow_freezes()

    def _bring_about(
        self,
        wanted: Sequence[tuple[ParameterCommand, Selection]],
        held: Collection[str],
        removed: Sequence[UngateCommand],
        gates: Sequence[RestoredGate],
        step: int,
    ) -> None:
        """Freeze and gate as a state has it, whole or not at all; steps go on from ``step``."""
        indexes = sorted({index for _, selection in wanted for index in selection.indexes})
        restores: list[Restore] = [
            partial(self._alignment.begin_at, self._state.step),
            *self._steering.snapshot(Selection(indexes)),
            self._gates.registry.snapshot(),
        ]
        with whole(restores):
            self._alignment.begin_at(step)
            for command, selection in wanted:
                numbered = replace(command, local=next(self._numbers))
                self._steering.restore(numbered, selection, step)
            self._freezer.statistics.unfreeze_all_but(held)
            for ungate in removed:
                ungate = replace(ungate, local=next(self._numbers))
                self._steering.apply_now(ungate, Selection([]), step)
            for gate in gates:
                gate = replace(gate, command=replace(gate.command, local=next(self._numbers)))
                restore_gate(self._gates.registry, self._steering, gate, step)


def _without_figures(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what has to be the same in the states of all ranks, of which each logs for itself.

    Each has a clock of its own, too.
    """
    return {
        **state,
        **{
            name: [{k: v for k, v in item.items() if k not in _OWN} for item in state[name]]
            for name in ("freezes", "gates")
            if name in state
        },
    }
