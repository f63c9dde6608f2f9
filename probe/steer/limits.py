"""Undoes freezes and gates that have lasted as long as they were to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..base.clock import elapsed
from ..freeze.records import FreezeRecords
from ..gates.gate import GateSettings
from ..gates.registry import GateRegistry
from ..model.commands import Command, ThawCommand, UngateCommand
from ..model.freeze import Freeze
from ..model.limit import Limit

LEASE = 60.0
"""Seconds after which nobody watches whose page was not heard of: a page that is loaded anew is
back sooner."""
AGAIN = 100
"""Steps after which what could not be undone, as a rank did not answer say, is tried again."""


@dataclass(frozen=True)
class _Lasting:
    """A freeze or a gate with a limit."""

    limit: Limit
    command: int | None
    """The server's number of the command that it came with."""
    step: int
    """It has been there since the boundary after this step,"""
    began: float
    """and since this time, by the clock of `Limits`."""
    undoing: ThawCommand | UngateCommand
    rests_until: int = 0
    """The step before which it is not undone, as that was asked for just now."""

    def steps_left(self, step: int) -> int | None:
        return None if self.limit.steps is None else self.step + self.limit.steps - step

    def seconds_left(self, now: float) -> float | None:
        return None if self.limit.seconds is None else self.began + self.limit.seconds - now


class Limits:
    """Follows all that has a limit, and says what undoes it: commands like any others.

    So all ranks undo it after the same step, whenever the one that leads finds that it is over.
    """

    def __init__(
        self,
        records: FreezeRecords,
        gates: GateRegistry,
        numbers: Iterator[int],
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """``numbers``: those of the probe's own commands; ``clock``: seconds that only go on."""
        self._records = records
        self._gates = gates
        self._numbers = numbers
        self._clock = clock
        self.lasting: dict[Limit, _Lasting] = {}
        """What has a limit, and was not seen to be over."""
        self._watched: dict[int | None, float] = {}
        """By number of a command: when its page was heard of last."""

    def add_freeze(self, target: str, freeze: Freeze) -> None:
        """Follow a freeze of what ``target`` names, if it has a limit."""
        thaw = ThawCommand(target, as_of=freeze.since_step, by=_name(freeze))
        self._add(freeze, thaw)

    def add_gate(self, gate: GateSettings) -> None:
        """Follow a gate that was made or changed, if it has a limit.

        One that has kept its limit lasts no longer for a change.
        """
        ungate = UngateCommand(f"gate {gate.id}", gate.id, as_of=gate.since_step, by=_name(gate))
        self._add(gate, ungate)

    def watch(self, commands: Iterable[int]) -> None:
        """Take in which commands have a page that is there now; in any thread."""
        self._watched.update(dict.fromkeys(commands, self._clock()))

    def due(self, step: int) -> list[Command]:
        """Return what undoes all that has lasted its time by the end of ``step``.

        Each once, and again as long as it is not done.
        """
        now = self._clock()
        over = [each for each in self.lasting.values() if self._is_over(each, step, now)]
        undoing: list[Command] = []
        for each in over:
            if self._stands(each):
                self.lasting[each.limit] = replace(each, rests_until=step + AGAIN)
                undoing.append(replace(each.undoing, local=next(self._numbers)))
            else:
                del self.lasting[each.limit]
        return undoing

    def remaining(self, limit: Limit | None, step: int) -> dict[str, Any] | None:
        """Return what is left of a limit after ``step``, as plain values with its ``target``."""
        if limit is None:
            return None
        each = self.lasting.get(limit)
        if each is None:  # it does not stand any more
            return {**asdict(limit), "steps": 1, "target": None}
        steps, seconds = each.steps_left(step), each.seconds_left(self._clock())
        return {
            "steps": None if steps is None else max(1, steps),
            "seconds": None if seconds is None else max(1.0, seconds),
            "while_watched": limit.while_watched,
            "target": each.undoing.target,
        }

    def _add(self, made: Freeze | GateSettings, undoing: ThawCommand | UngateCommand) -> None:
        limit = made.limit
        if limit is None:
            return
        known = self.lasting.get(limit)
        step = made.since_step if known is None else known.step
        began = self._clock() if known is None else known.began
        self.lasting[limit] = _Lasting(limit, made.command, step, began, undoing)

    def _is_over(self, each: _Lasting, step: int, now: float) -> bool:
        if step < each.rests_until:
            return False
        steps, seconds = each.steps_left(step), each.seconds_left(now)
        if (steps is not None and steps <= 0) or (seconds is not None and seconds <= 0):
            return True
        seen = max(each.began, self._watched.get(each.command, each.began))
        return each.limit.while_watched and now - seen > LEASE

    def _stands(self, each: _Lasting) -> bool:
        """Return whether there is something left to undo: nobody else has done it."""
        if isinstance(each.undoing, ThawCommand):
            return any(freeze.limit is each.limit for freeze in self._records.freezes.values())
        gate = self._gates.get(each.undoing.gate)
        return gate is not None and gate.settings.limit is each.limit


def _name(made: Freeze | GateSettings) -> str:
    """Name who undoes it."""
    of = made.by if made.command is None else f"command {made.command}"
    return f"limit of {of}"
