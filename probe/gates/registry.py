"""The gates of a run: made, changed, removed and looked up."""

from __future__ import annotations

import threading

from ..base.errors import CommandError, ConditionError
from ..base.undo import Restore
from ..conditions.compiler import Condition, compile_condition
from ..conditions.names import MOVEMENT
from ..model.commands import GateCommand, UngateCommand
from ..model.gate_info import GateInfo
from .actions import make_action
from .blocked import BlockedParameters
from .gate import Gate, GateSettings
from .runtime import GateRuntime
from .sites import PARAMETER, GatedRun, Site, check_site, parse_site

MOST = 1000
"""Gates of a run, at most."""


class GateRegistry:
    """Holds the gates by their numbers; commands go here, outside forward and backward."""

    def __init__(self, run: GatedRun, runtime: GateRuntime, blocked: BlockedParameters) -> None:
        self._run = run
        self._runtime = runtime
        self._blocked = blocked
        self._gates: dict[int, Gate] = {}
        self._numbers = threading.Lock()
        self._latest_number = 0
        """The highest number that was given or promised."""
        self.changes = 0
        """How often a gate was made, changed or removed."""

    def __len__(self) -> int:
        return len(self._gates)

    @property
    def is_compiled(self) -> bool:
        """Return whether a module of the models is compiled."""
        return self._run.wrappers.is_compiled()

    def get(self, number: int) -> Gate | None:
        """Return the gate of this number, or None."""
        return self._gates.get(number)

    def all(self) -> list[Gate]:
        """Return every gate, by number."""
        return list(self._gates.values())

    def infos(self) -> list[GateInfo]:
        """Return every gate as Python reports it, by number."""
        return [gate.info(self._run.table.name) for gate in self.all()]

    def reserve(self) -> int:
        """Promise a number to a gate that is yet to be made; in any thread."""
        with self._numbers:
            self._latest_number += 1
            return self._latest_number

    def _take(self, reserved: int | None) -> int:
        """Return the number of a new gate: what it was promised, on this rank or on another."""
        if reserved is None:
            return self.reserve()
        with self._numbers:
            self._latest_number = max(self._latest_number, reserved)
        return reserved

    def check_removal(self, command: UngateCommand) -> None:
        """Raise :class:`CommandError` if there is no such gate to remove, or another one by now."""
        self.check_number(command.gate)
        changed = self._gates[command.gate].settings.since_step
        if command.as_of not in (None, changed):
            raise CommandError(f"gate {command.gate} was changed at step {changed}, so it stays.")

    def check_number(self, number: int) -> None:
        """Raise :class:`CommandError` if there is no gate of this number."""
        if number not in self._gates:
            known = ", ".join(map(str, self._gates)) or "none"
            raise CommandError(f"this run has no gate {number}; it has {known}.")

    def check(self, command: GateCommand, *, restored: bool = False) -> None:
        """Raise why a gate cannot be made or changed; nothing is done.

        ``restored``: it was made before, so that its parameter may be frozen by now.
        """
        if command.gate is not None:
            self.check_number(command.gate)
        condition = compile_condition(command.when)
        make_action(command.action, factor=command.factor, max_norm=command.max_norm)
        if command.gate is None and len(self._gates) >= MOST:
            raise CommandError(f"a run has {MOST} gates at most; remove some.")
        site = parse_site(command.site)
        _check_names(condition, site)
        old = None if command.gate is None else self._gates[command.gate]
        if old is None or old.site != site:
            table, blocked = self._run.table, self._blocked.before_forward
            check_site(site, self._run, range(len(table)) if restored else blocked)

    def apply(self, command: GateCommand, step: int) -> int:
        """Make or change a gate that was checked, whole or not at all; return its number."""
        old = self._gates.get(command.gate) if command.gate is not None else None
        number = old.id if old is not None else self._take(command.reserved)
        limit = command.limit
        if old is not None and old.settings.limit is not None and old.settings.limit.same(limit):
            limit = old.settings.limit  # which goes on
        settings = GateSettings(
            id=number,
            site=parse_site(command.site),
            condition=compile_condition(command.when),
            action=make_action(command.action, factor=command.factor, max_norm=command.max_norm),
            hold=command.hold,
            paused=command.paused,
            by=command.by,
            command=command.id,
            since_step=step,
            limit=limit,
        )
        gate = Gate(settings)
        # The new one first: where it cannot be made, the old one is still there.
        self._runtime.add(gate)
        if old is not None:
            self._discard(old)
        self._gates = dict(sorted({**self._gates, number: gate}.items()))
        self.changes += 1
        return number

    def snapshot(self) -> Restore:
        """Return what puts back the gates that there are."""
        gates = self._gates

        def restore() -> None:
            present = self._gates
            for number, gate in present.items():
                if gates.get(number) is not gate:
                    self._discard(gate)
            for number, gate in gates.items():
                if present.get(number) is not gate:
                    self._runtime.add(gate)
            self._gates = gates

        return restore

    def delete(self, number: int) -> None:
        """Remove the gate of this number, if there is one."""
        self.changes += 1
        if number in self._gates:
            self._discard(self._gates[number])

    def _discard(self, gate: Gate) -> None:
        self._gates = {number: other for number, other in self._gates.items() if other is not gate}
        self._runtime.discard(gate)

    def remove(self) -> None:
        """Remove every gate and hook, and let every parameter be trained again."""
        self._blocked.remove()
        self._runtime.remove()
        self._gates = {}

    def may_block_before_forward(self) -> frozenset[int]:
        """Return the parameters that a gate may keep from being trained in some step."""
        early = [gate for gate in self.all() if gate.decides_before_forward]
        indexes = (gate.find_parameter(self._run.table) for gate in early)
        return frozenset(index for index in indexes if index is not None)

    def blocking(self) -> dict[int, GateInfo]:
        """Return the closed gates that block, by each parameter that is behind one."""
        found: dict[int, GateInfo] = {}
        for gate in self.all():
            indexes = gate.reach.indexes if gate.is_closed and gate.action.blocks else set()
            for index in indexes:
                found.setdefault(index, gate.info(self._run.table.name))
        return found

    def zeroing(self) -> list[GateInfo]:
        """Return the closed gates that let zeros pass."""
        closed = [gate for gate in self.all() if gate.is_closed and gate.action.zeroes]
        return [gate.info(self._run.table.name) for gate in closed]


def _check_names(condition: Condition, site: Site) -> None:
    """Raise :class:`ConditionError` for a name that is not known at this kind of site."""
    unknown = sorted(condition.names & MOVEMENT)
    if unknown and site.kind != PARAMETER:
        raise ConditionError(
            f"{unknown[0]} is that of a parameter, so it is known at its own site only: "
            f"param:NAME, not {site.text}.",
            condition.text.find(unknown[0]),
            condition.text,
        )
