"""Checks that what was commanded holds: by checksums, and by PyTorch's count of writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ..base.guard import Guard
from ..base.undo import Restore
from ..freeze.conversions import Conversions
from ..freeze.script_flags import ScriptFlags
from ..measure.checksums import checksums
from ..model.commands import CommandState, ParameterCommand, Report
from ..model.table import ParameterTable
from ..torch_compat.tensors import inner_tensors, is_freed
from .names import listed
from .reports import fault_sentence
from .writers import Writers

MOST_PLACES = 3
"""Lines of the script that a sentence names."""


class _Check(ABC):
    """An applied command that is watched."""

    ends_when_verified: bool
    """It is watched no longer once it was seen to hold."""

    def __init__(self, command: ParameterCommand, indexes: list[int], step: int) -> None:
        self.command = command
        self.indexes = indexes
        self.step = step
        """The step at whose boundary it was applied."""
        self.due = step + 1
        """The step after which it is checked next."""
        self.verified = False
        self.failed = False
        """A fault of the probe's own kept it from being checked, and was told."""
        self.seen = True
        """There was something to look at when it was checked last."""

    @property
    def state(self) -> CommandState:
        """What was last told of the command."""
        return CommandState.VERIFIED if self.verified else CommandState.APPLIED

    def report(
        self, state: CommandState, *, reason: str | None = None, detail: str | None = None
    ) -> Report:
        """Make a report of the command and all that it still touches."""
        return Report(
            self.command,
            state,
            step=self.step,
            parameters=self.indexes,
            reason=reason,
            detail=detail,
        )

    def news(self) -> str | None:
        """Return what is worth telling of it, once, though it holds."""
        return None

    def ended_by_script(self) -> tuple[list[int], str]:
        """Return the parameters for which the script itself has ended it, as it may, and where."""
        return [], ""

    @abstractmethod
    def find_wrong(self) -> list[int]:
        """Return the parameters for which the command does not hold."""

    @abstractmethod
    def describe_drift(self, wrong: Sequence[int], step: int) -> str:
        """Say how it came that the command does not hold after ``step``."""

    @abstractmethod
    def describe_evidence(self, step: int) -> str:
        """Say what shows that the command holds after ``step``."""


_Bits = tuple[tuple[object, ...], int]
"""A kind, as :meth:`Conversions.kind_of` has it, and a checksum of the bits."""


class _FreezeCheck(_Check):
    """Parameters that must keep their bits; watched for as long as they are frozen.

    One whose memory is given back, as by offloading, has none for a while: it is compared with what
    it had before once it has some again.
    """

    ends_when_verified = False

    def __init__(
        self,
        command: ParameterCommand,
        indexes: list[int],
        step: int,
        table: ParameterTable,
        writers: Writers,
        flags: ScriptFlags,
        conversions: Conversions,
    ) -> None:
        super().__init__(command, indexes, step)
        self._table = table
        self._writers = writers
        self._flags = flags
        self._told = 0
        """Of how many parameters it was told that the script asked to train them."""
        self._conversions = conversions
        self._sums = self._take(indexes)
        self._compared = 0
        """Of how many parameters the bits were compared when they were last looked at."""
        writers.watch(indexes)

    def _take(self, indexes: Sequence[int]) -> dict[int, _Bits]:
        parameters = self._table.parameters
        held = [i for i in indexes if not any(map(is_freed, inner_tensors(parameters[i])))]
        sums = checksums([parameters[index] for index in held])
        kinds = map(self._conversions.kind_of, held)
        return dict(zip(held, zip(kinds, sums, strict=True), strict=True))

    def find_wrong(self) -> list[int]:
        """Return those that changed; one that was cast or moved counts from then on."""
        taken = self._take(self.indexes)
        before, self._sums = self._sums, self._sums | taken
        both = taken.keys() & before.keys()
        self._compared = len(both)
        self.seen = bool(both)
        changed = {i for i in both if taken[i][0] == before[i][0] and taken[i][1] != before[i][1]}
        return [
            index
            for index in self.indexes
            if index in changed
            or self._table.parameters[index].requires_grad
            or index in self._table.removed
        ]

    def ended_by_script(self) -> tuple[list[int], str]:
        """Return those that the script has made trainable, where its word is to stand."""
        parameters, asked = self._table.parameters, self._flags.asked
        ended = [i for i in self.indexes if i in asked or parameters[i].requires_grad]
        if not (ended and self._flags.win):
            return [], ""
        return ended, f"{self._thawed(ended)}, whose word stands"

    def _thawed(self, indexes: Sequence[int]) -> str:
        place = self._flags.asked.get(indexes[0])
        where = "" if place is None else f" at {place}"
        return f"{listed(self._table, indexes)} was made trainable again by the script{where}"

    def describe_drift(self, wrong: Sequence[int], step: int) -> str:
        names = listed(self._table, wrong)
        if wrong[0] in self._table.removed:
            return f"{names}: what is there now is another tensor, and not frozen"
        if self._table.parameters[wrong[0]].requires_grad:
            return self._thawed(wrong)
        who = self._writers.writer_of(wrong[0])
        return f"{names} was frozen and has changed by step {step}: moved by {who}"

    def describe_evidence(self, step: int) -> str:
        count = len(self.indexes)
        evidence = f"{self._compared} of {count} bitwise unchanged after step {step}"
        gone = None
        if self._compared < count:
            gone = "the memory of the rest was given back, and no bit of it can be compared"
        return "; ".join(part for part in (evidence, gone, self.news()) if part)

    def news(self) -> str | None:
        """Say, once, which of them the script has asked to train, and where."""
        asked = [index for index in self.indexes if index in self._flags.asked]
        if len(asked) == self._told:
            return None
        self._told = len(asked)
        places = sorted({place for index in asked if (place := self._flags.asked[index])})
        where = f" at {' and '.join(places[:MOST_PLACES])}" if places else ""
        return f"the script asked to train {listed(self._table, asked)}{where}; it stays frozen"


class _ThawCheck(_Check):
    """Parameters that must be trainable after the next step, or were trained in it.

    A loop that takes turns may have switched them off again for the moment.
    """

    ends_when_verified = True

    def __init__(
        self,
        command: ParameterCommand,
        indexes: list[int],
        step: int,
        table: ParameterTable,
        writers: Writers,
        find_untrained: Callable[[Sequence[int]], str | None],
    ) -> None:
        super().__init__(command, indexes, step)
        self._table = table
        self._writers = writers
        self._find_untrained = find_untrained
        writers.look_at_boundary(step)
        writers.watch(indexes)

    def find_wrong(self) -> list[int]:
        return [
            index
            for index in self.indexes
            if not (self._table.parameters[index].requires_grad or self._writers.was_stepped(index))
        ]

    def describe_drift(self, wrong: Sequence[int], step: int) -> str:
        return f"{listed(self._table, wrong)} was frozen again by the script"

    def describe_evidence(self, step: int) -> str:
        # Of one that is stepped inside the backward the gradient is gone by now.
        flowing = sum(
            self._table.parameters[i].grad is not None or self._writers.was_stepped(i)
            for i in self.indexes
        )
        parts = [
            f"{flowing} of {len(self.indexes)} had a gradient in step {step}",
            self._find_untrained(self.indexes),
        ]
        return "; ".join(part for part in parts if part)


class Verification:
    """Watches applied commands: verified after one step, and drifted if ever they do not hold.

    A freeze is checked by checksums 1, 2, 4, 8, … steps after it was applied, so what it
    costs becomes rarer and rarer; in between, at every sampled step, by PyTorch's version
    counters. The counters, read before and after each optimizer's step, also tell who wrote.
    """

    def __init__(
        self,
        table: ParameterTable,
        writers: Writers,
        flags: ScriptFlags,
        conversions: Conversions,
        in_optimizer: Callable[[int], bool],
        guard: Guard,
    ) -> None:
        self._table = table
        self._writers = writers
        self._flags = flags
        self._conversions = conversions
        self._in_optimizer = in_optimizer
        self._guard = guard
        self._checks: list[_Check] = []

    def snapshot(self) -> list[Restore]:
        """Return what puts back which commands are watched, and on what parameters."""
        checks = [(check, check.indexes) for check in self._checks]

        def restore() -> None:
            self._checks = [check for check, _ in checks]
            for check, indexes in checks:
                check.indexes = indexes

        return [restore, self._writers.snapshot()]

    def watch_freeze(self, command: ParameterCommand, indexes: list[int], step: int) -> None:
        """Watch parameters that are frozen after ``step``, for as long as they are."""
        check = _FreezeCheck(
            command, indexes, step, self._table, self._writers, self._flags, self._conversions
        )
        self._checks.append(check)

    def watch_thaw(self, command: ParameterCommand, indexes: list[int], step: int) -> None:
        """Watch parameters that are trainable after ``step``, until they were trained."""
        check = _ThawCheck(command, indexes, step, self._table, self._writers, self.find_untrained)
        self._checks.append(check)
        self._writers.pressing = True

    def boundary(self, step: int, *, look: bool) -> list[Report]:
        """Return the reports that are due after ``step``; ``look``: read the counters as well."""
        due = [check for check in self._checks if check.due <= step]
        if due or look:
            self._writers.look_at_boundary(step)
        if not self._checks:
            return []
        written = set(self._writers.written)
        reports = []
        for check in self._checks:
            changed = not check.ends_when_verified and not written.isdisjoint(check.indexes)
            if check in due or changed:
                reports += self._examine(check, step)
            elif check.verified and (news := check.news()) is not None:
                reports.append(check.report(check.state, detail=news))
        self._drop([check for check in self._checks if not check.indexes])
        return reports

    def drift(self, indexes: list[int], mode: str, reason: str) -> list[Report]:
        """End the watch of freezes of this ``mode`` that touch ``indexes``: they do not hold."""
        touched = set(indexes)
        ended = [c for c in self._checks if c.command.mode == mode and touched & set(c.indexes)]
        self._drop(ended)
        return [check.report(CommandState.DRIFTED, reason=reason) for check in ended]

    def withdraw(self, command: ParameterCommand, indexes: list[int]) -> list[ParameterCommand]:
        """Watch other commands no longer where this one undoes them or says the same anew.

        Returns those whose proof it forestalls.
        """
        touched, ended = set(indexes), []
        for check in self._checks:
            undone = check.command.trains != command.trains
            if undone or check.verified:
                check.indexes = [index for index in check.indexes if index not in touched]
                if not check.indexes:
                    ended.append(check)
        self._drop(ended)
        return [check.command for check in ended if not check.verified]

    def find_untrained(self, indexes: Sequence[int]) -> str | None:
        """Say which parameters no optimizer holds: thawed or not, they will not be trained."""
        loose = [index for index in indexes if not self._in_optimizer(index)]
        if not loose:
            return None
        return f"{listed(self._table, loose)} is in no optimizer and will not be trained"

    def _examine(self, check: _Check, step: int) -> list[Report]:
        reports: list[Report] = []
        with self._guard.attempt() as attempt:
            reports = self._verdict(check, step)
        if attempt.error is None:
            return reports
        # Nobody knows whether it holds: it is looked at again, and that is told once.
        check.due = step + 1
        told, check.failed = check.failed, True
        detail = f"could not be checked after step {step}: {fault_sentence(attempt)}"
        return [] if told else [check.report(check.state, detail=detail)]

    def _verdict(self, check: _Check, step: int) -> list[Report]:
        ended, reason = check.ended_by_script()
        if not ended:
            return self._proof(check, step)
        rest = [index for index in check.indexes if index not in ended]
        if not rest:
            superseded = check.report(CommandState.SUPERSEDED, reason=reason)
            check.indexes = rest
            return [superseded]
        check.indexes = rest  # what the script has left frozen is watched on
        return [check.report(check.state, detail=reason), *self._proof(check, step)]

    def _proof(self, check: _Check, step: int) -> list[Report]:
        wrong = check.find_wrong()
        if wrong:
            reason = check.describe_drift(wrong, step)
            drifted = check.report(CommandState.DRIFTED, reason=reason)
            check.indexes = []
            return [drifted]
        self._writers.forgive(check.indexes)
        if not (check.verified or check.seen):
            check.due = step + 1
            return []
        if check.verified:
            check.due = step + (step - check.step)
            return []
        evidence = check.describe_evidence(step)
        check.verified, check.due = True, step + 1
        verified = check.report(CommandState.VERIFIED, detail=evidence)
        if check.ends_when_verified:
            check.indexes = []
        return [verified]

    def _drop(self, ended: list[_Check]) -> None:
        self._checks = [check for check in self._checks if check not in ended]
        self._writers.keep_only({index for check in self._checks for index in check.indexes})
        self._writers.pressing = any(check.ends_when_verified for check in self._checks)
