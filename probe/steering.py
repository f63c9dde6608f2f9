"""Applies commands at step boundaries and checks that they hold."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .checksums import Checksum, checksums
from .commands import Command, CommandState, Report
from .errors import CommandError, TargetError
from .freezing import Freeze, Freezer
from .guard import Guard
from .parameters import ParameterTable
from .targets import resolve

_OPPOSITE = {"freeze": "thaw", "thaw": "freeze"}


@dataclass
class _Check:
    """An applied command that is to be verified after the next step."""

    command: Command
    step: int
    indexes: list[int]
    sums: list[Checksum]
    """Checksums at the time of applying, of a freeze; empty for a thaw."""


class Steering:
    """The commands of one run: received in any thread, applied in the training thread."""

    def __init__(
        self,
        table: ParameterTable,
        freezer: Freezer,
        guard: Guard,
        report: Callable[[Report], None],
        in_optimizer: Callable[[int], bool],
    ) -> None:
        self._table = table
        self._freezer = freezer
        self._guard = guard
        self._report = report
        self._in_optimizer = in_optimizer
        self._lock = threading.Lock()
        self._inbox: deque[Command] = deque()
        self._seen: set[int] = set()
        self._checks: list[_Check] = []

    def submit(self, command: Command) -> None:
        """Queue a command for the next boundary; one that was seen before is ignored."""
        with self._lock:
            if command.id is not None:
                if command.id in self._seen:
                    return
                self._seen.add(command.id)
            # Before it is queued: the training thread may apply it at once.
            self._report(Report(command, CommandState.DELIVERED))
            self._inbox.append(command)

    def resolve(self, command: Command) -> list[int]:
        """Return the parameters that a command touches, or raise why it cannot be done."""
        command.check()
        indexes = resolve(command.target, self._table.names)
        self._freezer.check(indexes)
        return indexes

    def boundary(self, step: int, *, skipped: bool = False) -> bool:
        """Verify and apply at the boundary after ``step``; return whether anything changed.

        ``skipped``: the optimizer did not apply that step, so it proves nothing.
        """
        if self._checks and not skipped:
            self._verify(step)
        if not self._inbox:
            return False
        with self._lock:
            commands = list(self._inbox)
            self._inbox.clear()
        accepted = [(c, indexes) for c in commands if (indexes := self._accept(c, step))]
        for position, (command, indexes) in enumerate(accepted):
            undone = {
                index
                for later, others in accepted[position + 1 :]
                if later.kind == _OPPOSITE[command.kind]
                for index in others
            }
            if undone.issuperset(indexes):
                reason = f"a later command asked at the same step to {_OPPOSITE[command.kind]}"
                self._supersede(command, reason, step)
            else:
                self._apply_guarded(command, indexes, step)
        return bool(accepted)

    def apply(self, command: Command, indexes: list[int], step: int) -> None:
        """Do what a command asks, now: in the training thread, outside forward and backward."""
        sums: list[Checksum] = []
        if command.kind == "freeze":
            sums = checksums([self._table.parameters[i] for i in indexes])
            self._freezer.freeze(indexes, Freeze(command.by, command.mode, step, command.id))
        else:
            self._freezer.thaw(indexes)
        self._withdraw_checks(command, indexes, step)
        self._checks.append(_Check(command, step, indexes, sums))
        self._report(
            Report(
                command,
                CommandState.APPLIED,
                step=step,
                parameters=indexes,
                detail=self._untrained(command, indexes),
            )
        )

    def _apply_guarded(self, command: Command, indexes: list[int], step: int) -> None:
        """Apply; a fault of the probe's own rejects this command, and the others go on."""
        done = False
        with self._guard:
            self.apply(command, indexes, step)
            done = True
        if not done:
            reason = "the probe failed inside; see the job's log"
            self._report(Report(command, CommandState.REJECTED, step=step, reason=reason))

    def _accept(self, command: Command, step: int) -> list[int]:
        try:
            return self.resolve(command)
        except (TargetError, CommandError) as error:
            self._report(Report(command, CommandState.REJECTED, step=step, reason=str(error)))
            return []

    def _supersede(self, command: Command, reason: str, step: int) -> None:
        self._report(Report(command, CommandState.SUPERSEDED, step=step, reason=reason))

    def _withdraw_checks(self, command: Command, indexes: list[int], step: int) -> None:
        """A command not verified yet is checked no longer where this one undoes it."""
        touched = set(indexes)
        for check in list(self._checks):
            if check.command.kind != _OPPOSITE[command.kind]:
                continue
            kept = [p for p, index in enumerate(check.indexes) if index not in touched]
            if not kept:
                self._checks.remove(check)
                reason = f"a later {command.kind} came before it could be verified"
                self._supersede(check.command, reason, step)
            else:
                check.sums = [check.sums[p] for p in kept] if check.sums else []
                check.indexes = [check.indexes[p] for p in kept]

    def _verify(self, step: int) -> None:
        due = [check for check in self._checks if check.step < step]
        self._checks = [check for check in self._checks if check.step >= step]
        for check in due:
            problem = self._moved(check) if check.command.kind == "freeze" else self._shut(check)
            self._report(
                Report(
                    check.command,
                    CommandState.APPLIED if problem else CommandState.VERIFIED,
                    step=check.step,
                    parameters=check.indexes,
                    reason=problem,
                    detail=None if problem else self._evidence(check, step),
                )
            )

    def _moved(self, check: _Check) -> str | None:
        """Why a freeze does not hold: the parameters that changed or can still change."""
        now = checksums([self._table.parameters[i] for i in check.indexes])
        wrong = [
            index
            for index, before, after in zip(check.indexes, check.sums, now, strict=True)
            if before != after or self._table.parameters[index].requires_grad
        ]
        if not wrong:
            return None
        return (
            f"not verified: {self._listed(wrong)} changed after the freeze, "
            "so something else than the optimizer's gradient step writes to it"
        )

    def _shut(self, check: _Check) -> str | None:
        """Why a thaw does not hold."""
        wrong = [i for i in check.indexes if not self._table.parameters[i].requires_grad]
        if not wrong:
            return None
        return f"not verified: {self._listed(wrong)} was frozen again by the script"

    def _evidence(self, check: _Check, step: int) -> str | None:
        count = len(check.indexes)
        if check.command.kind == "freeze":
            return f"{count} of {count} bitwise unchanged after step {step}"
        flowing = sum(self._table.parameters[i].grad is not None for i in check.indexes)
        parts = [
            f"{flowing} of {count} had a gradient in step {step}",
            self._untrained(check.command, check.indexes),
        ]
        return "; ".join(part for part in parts if part)

    def _untrained(self, command: Command, indexes: list[int]) -> str | None:
        """Say which thawed parameters no optimizer holds: they will not be trained."""
        if command.kind != "thaw":
            return None
        loose = [index for index in indexes if not self._in_optimizer(index)]
        if not loose:
            return None
        return f"{self._listed(loose)} is in no optimizer and will not be trained"

    def _listed(self, indexes: list[int]) -> str:
        first = self._table.name(indexes[0])
        return first if len(indexes) == 1 else f"{first} (and {len(indexes) - 1} more)"
