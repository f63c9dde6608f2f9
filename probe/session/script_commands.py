"""The commands that the training script gives, by the methods of its run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..base.errors import CommandError
from ..gates.gates import Gates
from ..live.explainer import Explainer
from ..measure.measurement import Measurement
from ..model.commands import (
    Command,
    ExplainCommand,
    FreezeCommand,
    GateCommand,
    ThawCommand,
    UngateCommand,
    read_command,
)
from ..model.limit import Limit
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..steer.preview import Preview
from ..steer.preview_requests import PreviewRequests
from ..steer.queue import CommandQueue
from ..steer.rank_agreement import RankAgreement
from ..steer.steering import Steering
from .alignment import Alignment
from .arguments import checked_number, checked_whole
from .run_state import RunState

BY = "python"
"""Who asked, in the script's own commands."""


class ScriptCommands:
    """Checks what the script asks, and does it at once or queues it for the next boundary.

    It meets many parts, for there is one method a kind of command and each kind another part.
    """

    def __init__(
        self,
        state: RunState,
        numbers: Iterator[int],
        table: ParameterTable,
        steering: Steering,
        queue: CommandQueue,
        previews: PreviewRequests,
        agreement: RankAgreement,
        gates: Gates,
        explainer: Explainer,
        measurement: Measurement,
        alignment: Alignment,
    ) -> None:
        """``numbers``: those of the probe's own commands."""
        self._state = state
        self._numbers = numbers
        self._table = table
        self._steering = steering
        self._queue = queue
        self._previews = previews
        self._agreement = agreement
        self._gates = gates
        self._explainer = explainer
        self._measurement = measurement
        self._alignment = alignment

    def freeze(
        self, target: str, mode: str, limit: Limit | None, *, hold_stats: bool
    ) -> tuple[str, ...]:
        """Freeze what ``target`` names; return the names of the parameters."""
        asker = self._asker(f"freeze {target!r}")
        return self._change(FreezeCommand(target, mode, bool(hold_stats), limit, **asker))

    def thaw(self, target: str, *, reset_state: bool) -> tuple[str, ...]:
        """Thaw what ``target`` names; return the names of the parameters."""
        asker = self._asker(f"thaw {target!r}")
        return self._change(ThawCommand(target, bool(reset_state), **asker))

    def gate(
        self,
        site: str,
        when: str,
        action: str,
        factor: float | None,
        max_norm: float | None,
        hold: int,
        limit: Limit | None,
    ) -> int:
        """Make a gate; return its number."""
        asker = self._asker(f"gate {site!r}")
        command = GateCommand(
            site,
            site,
            when,
            action,
            checked_number("factor", factor),
            checked_number("max_norm", max_norm),
            checked_whole("hold", hold),
            limit=limit,
            **asker,
        )
        selection = self._steering.resolve(command)
        if self._state.at_boundary():
            self._agreement.agree(self._state.step, command.asked())
        number = self._gates.registry.reserve()
        self._do_gate(replace(command, reserved=number), selection)
        return number

    def ungate(self, gate: int) -> None:
        """Remove a gate."""
        number = checked_whole("gate", gate)
        asker = self._asker(f"ungate 'gate {number}'")
        command = UngateCommand(f"gate {number}", number, **asker)
        selection = self._steering.resolve(command)
        if self._state.at_boundary():
            self._agreement.agree(self._state.step, command.asked())
        self._do_gate(command, selection)

    def explain(self, target: str) -> None:
        """Have the coming step traced."""
        command = ExplainCommand(target, **self._asker(f"explain {target!r}"))
        selection = self._steering.resolve(command)
        if not self._state.at_boundary():
            self._queue.submit(command)
            return
        self._steering.apply_now(command, selection, self._state.step)
        self._explainer.boundary(self._state.step)
        self._measurement.schedule.sampling |= self._explainer.tracing

    def preview(
        self, kind: str, target: str, mode: str, *, hold_stats: bool, reset_state: bool
    ) -> Preview:
        """Return what a freeze or a thaw would touch."""
        self._alignment.follow_model()
        asked = {"kind": kind, "target": target, "mode": mode, "by": BY}
        switches = {"hold_stats": hold_stats, "reset_state": reset_state}
        return self._previews.now(read_command({**asked, **switches}))

    def _asker(self, what: str) -> dict[str, Any]:
        """Say who asks, with a new number; raises :class:`CommandError` in a run that has ended."""
        if not self._state.attached:
            raise CommandError(f"cannot {what}: this run was detached.")
        self._alignment.follow_model()
        return {"by": BY, "local": next(self._numbers)}

    def _change(self, command: Command) -> tuple[str, ...]:
        selection = self._steering.resolve(command)
        if self._state.at_boundary():
            self._gates.blocked.release()
            self._agreement.agree(self._state.step, command.asked())
            self._steering.apply_now(command, selection, self._state.step)
            self._alignment.follow_gates()
            self._alignment.follow_freezes()
        elif self._agreement.leads:
            self._queue.submit(command)
        return tuple(self._table.name(index) for index in selection.indexes)

    def _do_gate(self, command: Command, selection: Selection) -> None:
        if not self._state.at_boundary():
            if self._agreement.leads:
                self._queue.submit(command)
            return
        self._gates.blocked.release()
        self._steering.apply_now(command, selection, self._state.step)
        self._alignment.follow_gates()
