"""Checks that what was commanded holds: by checksums, and by PyTorch's count of writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..freeze.checksums import Checksum, checksums
from ..model.commands import (
    CommandState,
    FreezeCommand,
    ParameterCommand,
    Report,
    ThawCommand,
)
from ..model.table import ParameterTable
from ..torch_compat.versions import version

SCRIPT = "the script's own code"


@dataclass
class _Check:
    """An applied command that is watched."""

    command: ParameterCommand
    step: int
    """The step at whose boundary it was applied."""
    indexes: list[int]
    sums: dict[int, Checksum] = field(default_factory=dict)
    """Checksums at the time of applying, of a freeze."""
    versions: dict[int, int] = field(default_factory=dict)
    """Counts of writes at the time of applying, of a thaw."""
    verified: bool = False
    due: int = 0
    """The step after which it is checked next."""


class Verification:
    """Watches applied commands: verified after one step, and drifted if ever they do not hold.

    A freeze is checked by checksums 1, 2, 4, 8, … steps after it was applied, so what it
    costs becomes rarer and rarer; in between, at every sampled step, by PyTorch's version
    counters, which cost 50 ns each and count every write but those through ``.data``. The
    counters, read before and after each optimizer's step, also tell who wrote.
    """

    def __init__(self, table: ParameterTable, in_optimizer: Callable[[int], bool]) -> None:
        self._table = table
        self._in_optimizer = in_optimizer
        self._checks: list[_Check] = []
        self._versions: dict[int, int] = {}
        """Of each watched frozen parameter, as of the last look."""
        self._writers: dict[int, str] = {}
        """Who wrote to a watched parameter since it was frozen."""
        self._looked = 0
        """The boundary of the last look."""

    @property
    def watching(self) -> bool:
        """Whether there is any parameter whose writes are counted."""
        return bool(self._versions)

    def applied(self, command: ParameterCommand, indexes: list[int], step: int) -> None:
        """Watch a command from here on."""
        check = _Check(command, step, indexes, due=step + 1)
        if isinstance(command, FreezeCommand):
            sums = checksums([self._table.parameters[i] for i in indexes])
            check.sums = dict(zip(indexes, sums, strict=True))
            for index in indexes:
                self._versions[index] = version(self._table.parameters[index])
                self._writers.pop(index, None)
        else:
            check.versions = {i: version(self._table.parameters[i]) for i in indexes}
        self._checks.append(check)

    def note(self, writer: str, step: int) -> None:
        """Look who wrote since the last look: ``writer``, if that was in the step before."""
        for index, before in self._versions.items():
            now = version(self._table.parameters[index])
            if now != before:
                self._versions[index] = now
                if step > self._looked + 1:
                    writer = f"something between the steps {self._looked} and {step}"
                self._writers.setdefault(index, writer)

    def boundary(self, step: int, *, look: bool) -> list[Report]:
        """The reports that are due after ``step``; ``look``: read the counters as well."""
        due = [check for check in self._checks if check.due <= step]
        if due or look:
            self.note(SCRIPT, step)
            self._looked = step
        written = set(self._writers)
        reports = []
        for check in self._checks:
            if check in due or (check.sums and not written.isdisjoint(check.indexes)):
                reports += self._examine(check, step)
        self._checks = [check for check in self._checks if check.indexes]
        self._forget_unwatched()
        return reports

    def drifted(self, indexes: list[int], mode: str, reason: str) -> list[Report]:
        """End the watch of freezes of this ``mode`` that touch ``indexes``: they do not hold."""
        touched = set(indexes)
        ended = [c for c in self._checks if c.command.mode == mode and touched & set(c.indexes)]
        self._checks = [check for check in self._checks if check not in ended]
        self._forget_unwatched()
        return [
            Report(
                check.command,
                CommandState.DRIFTED,
                step=check.step,
                parameters=check.indexes,
                reason=reason,
            )
            for check in ended
        ]

    def _examine(self, check: _Check, step: int) -> list[Report]:
        wrong = self._moved(check) if check.sums else self._shut(check)
        if wrong:
            check_step, indexes = check.step, check.indexes
            check.indexes = []
            return [
                Report(
                    check.command,
                    CommandState.DRIFTED,
                    step=check_step,
                    parameters=indexes,
                    reason=self._drift(check, wrong, step),
                )
            ]
        for index in check.indexes:
            # The same bits were written: no drift.
            self._writers.pop(index, None)
        if check.verified:
            check.due = step + (step - check.step)
            return []
        check.verified, check.due = True, step + 1
        report = Report(
            check.command,
            CommandState.VERIFIED,
            step=check.step,
            parameters=check.indexes,
            detail=self._evidence(check, step),
        )
        if not check.sums:
            check.indexes = []
        return [report]

    def _moved(self, check: _Check) -> list[int]:
        now = checksums([self._table.parameters[i] for i in check.indexes])
        return [
            index
            for index, after in zip(check.indexes, now, strict=True)
            if check.sums[index] != after
            or self._table.parameters[index].requires_grad
            or index in self._table.removed
        ]

    def _shut(self, check: _Check) -> list[int]:
        return [i for i in check.indexes if not self._table.parameters[i].requires_grad]

    def _drift(self, check: _Check, wrong: list[int], step: int) -> str:
        if isinstance(check.command, ThawCommand):
            return f"{self.listed(wrong)} was frozen again by the script"
        if wrong[0] in self._table.removed:
            return f"{self.listed(wrong)}: what is there now is another tensor, and not frozen"
        if self._table.parameters[wrong[0]].requires_grad:
            return f"{self.listed(wrong)} was made trainable again by the script"
        uncounted = "a write through .data or the raw storage, which PyTorch does not count"
        who = self._writers.get(wrong[0], uncounted)
        return f"{self.listed(wrong)} was frozen and has changed by step {step}: moved by {who}"

    def _evidence(self, check: _Check, step: int) -> str:
        count = len(check.indexes)
        if check.sums:
            return f"{count} of {count} bitwise unchanged after step {step}"
        # One that is stepped inside the backward has been written, and its gradient is gone.
        flowing = sum(
            self._table.parameters[i].grad is not None
            or version(self._table.parameters[i]) != check.versions[i]
            for i in check.indexes
        )
        parts = [
            f"{flowing} of {count} had a gradient in step {step}",
            self.untrained(check.command, check.indexes),
        ]
        return "; ".join(part for part in parts if part)

    def untrained(self, command: ParameterCommand, indexes: list[int]) -> str | None:
        """Say which thawed parameters no optimizer holds: they will not be trained."""
        if not isinstance(command, ThawCommand):
            return None
        loose = [index for index in indexes if not self._in_optimizer(index)]
        if not loose:
            return None
        return f"{self.listed(loose)} is in no optimizer and will not be trained"

    def listed(self, indexes: list[int]) -> str:
        """The first of some parameters by name, and how many more."""
        first = self._table.name(indexes[0])
        return first if len(indexes) == 1 else f"{first} (and {len(indexes) - 1} more)"

    def withdraw(self, command: ParameterCommand, indexes: list[int]) -> list[ParameterCommand]:
        """Watch other commands no longer where this one undoes them or says the same anew.

        Returns those whose proof it forestalls.
        """
        touched, superseded = set(indexes), []
        for check in list(self._checks):
            undone = type(check.command) is not type(command)
            if not (undone or check.verified):
                continue
            check.indexes = [index for index in check.indexes if index not in touched]
            if not check.indexes:
                self._checks.remove(check)
                if not check.verified:
                    superseded.append(check.command)
        self._forget_unwatched()
        return superseded

    def _forget_unwatched(self) -> None:
        watched = {index for check in self._checks for index in check.sums.keys() & check.indexes}
        for mapping in (self._versions, self._writers):
            for index in mapping.keys() - watched:
                del mapping[index]
