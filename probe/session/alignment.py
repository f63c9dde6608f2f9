"""Brings the parts of a run in line with what has changed: the model, its freezes or its gates."""

from __future__ import annotations

from ..base.guard import Guard
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..link.uplink import Uplink
from ..measure.measurement import Measurement
from ..model.parameter_info import ParameterInfo
from .delivery import Delivery
from .lull import Lull
from .run_state import RunState


class Alignment:
    """Called after every change, whether a command, a checkpoint or the script made it."""

    def __init__(
        self,
        state: RunState,
        lull: Lull,
        measurement: Measurement,
        delivery: Delivery,
        freezer: Freezer,
        gates: Gates,
        uplink: Uplink,
        guard: Guard,
    ) -> None:
        self._state = state
        self._lull = lull
        self._measurement = measurement
        self._delivery = delivery
        self._freezer = freezer
        self._gates = gates
        self._uplink = uplink
        self._guard = guard

    def parameters(self) -> list[ParameterInfo]:
        """Return every parameter of the models as they are now, as of the latest sample."""
        self.follow_model()
        if not self._state.trains_elsewhere():
            self._delivery.catch_up()
        rows, freezes = self._measurement.members.rows, self._freezer.records.freezes
        return list(self._measurement.latest.parameters(rows, freezes))

    def follow_model(self) -> None:
        """Take in what the script has just added to the models, where that can be done safely."""
        if self._state.attached and self._state.at_boundary():
            # What is about to change is not that of the steps before.
            self._delivery.catch_up()
            self._lull.end()
            self._gates.step.begin(self._state.step + 1)
            with self._guard:
                self._measurement.members.refresh(walk=True)

    def follow_freezes(self) -> None:
        """Time the backward as it is now, and tell what is frozen."""
        self._lull.end()
        with self._guard:
            # Behind the hooks that came with a freeze, for these may give an output its graph.
            self._measurement.timer.arm()
        with self._guard:
            records = self._freezer.records
            self._uplink.send_frozen(records.as_message(), records.count_trainable())

    def follow_gates(self, *, late: bool = False) -> None:
        """Bring hooks, marks and the freezer in line with the gates, and tell of them.

        ``late``: the gradients that are there belong to the coming step.
        """
        self._lull.end()
        registry = self._gates.registry
        with self._guard:
            self._gates.runtime.follow_parameters()
            blocked = registry.may_block_before_forward()
            self._freezer.cover.update_gates(blocked, gated=len(registry) > 0)
        with self._guard:
            if len(registry):
                self._measurement.timer.follow_ends()
                self._measurement.mark_every_step(late=late)
            else:
                self._measurement.mark_sampled_steps()
        with self._guard:
            gates = self._gates.accounting.take_message()
            if gates is not None:
                self._uplink.send_gates(gates)

    def begin_at(self, step: int) -> None:
        """Let steps go on from ``step``, in a run that has made none yet."""
        self._state.step = step
        self._gates.step.begin(step + 1)
