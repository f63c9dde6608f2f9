"""Carries out the commands about parameters: freeze and thaw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from torch import nn

from ..base.errors import CommandError
from ..base.undo import Restore, whole
from ..freeze.freezer import Freezer
from ..freeze.optimizer_state import OptimizerState
from ..model.commands import (
    Command,
    CommandState,
    FreezeCommand,
    ParameterCommand,
    Report,
    ThawCommand,
)
from ..model.freeze import Freeze
from ..model.selection import Selection, select
from ..model.table import ParameterTable
from .limits import Limits
from .no_grad_trial import NoGradTrials
from .rank_agreement import RankAgreement
from .reports import Reports
from .saved_reports import SavedReports
from .verification import Verification

P = TypeVar("P", bound=ParameterCommand)


@dataclass(frozen=True)
class Scene:
    """What commands about parameters meet: one record, since both handlers need all of it."""

    table: ParameterTable
    models: Mapping[str, nn.Module]
    freezer: Freezer
    agreement: RankAgreement
    trials: NoGradTrials
    verification: Verification
    saved: SavedReports
    limits: Limits
    reports: Reports

    def gradient_bytes(self, selection: Selection) -> int:
        """Return what the gradients of the trainable ones among the parameters take."""
        parameters = [self.table.parameters[index] for index in selection.indexes]
        return sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)


class ParameterHandler(ABC, Generic[P]):
    """Applies commands that make parameters trainable or not, and has them verified."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def resolve(self, command: P) -> Selection:
        """Return what a command touches, or raise why it cannot be done."""
        scene = self._scene
        scene.agreement.check()
        selection = select(
            command.target, scene.table, scene.models, without_graph=command.without_graph
        )
        scene.freezer.check(selection, command.mode)
        return selection

    def admit(self, command: P, selection: Selection, step: int) -> bool:
        """Let the command stand over those that wait for a trial; it is applied with its batch."""
        self._scene.trials.outdate(command, selection, step)
        return True

    def apply(self, command: P, selection: Selection, step: int) -> None:
        """Bring about what a command asks and watch that it holds, whole or not at all."""
        scene = self._scene
        with self.on_all_ranks(command, selection, step):
            freed = scene.gradient_bytes(selection)
            superseded = self.change(command, selection, step)
            detail = self.watch(command, selection, step)
        freed -= scene.gradient_bytes(selection)
        scene.saved.begin(command, step, freed)
        self.supersede(superseded, command, step)
        scene.reports.send(
            Report(
                command,
                CommandState.APPLIED,
                step=step,
                parameters=selection.indexes,
                detail=detail,
            )
        )

    def apply_now(self, command: P, selection: Selection, step: int) -> None:
        """Do what a command of the script asks, between a boundary and a forward."""
        self.apply(command, selection, step)
        self._scene.trials.outdate(command, selection, step)

    @contextmanager
    def on_all_ranks(self, command: P, selection: Selection, step: int) -> Iterator[None]:
        """Surround what a command does: it is done on every rank, whole, or on none.

        Where it fails, even before it began, reducers are made anew on all ranks: those that have
        done and undone it have others than before, which first agree on how they reduce.
        """
        scene = self._scene
        renew = [partial(scene.freezer.renew, selection)] if scene.agreement.is_needed else []
        with (
            scene.agreement.answering(command, step),
            whole(renew),
            whole(self.snapshot(selection)),
            scene.agreement.together(command, step),
        ):
            yield

    def is_undone_by(self, command: P, later: Command) -> bool:
        """Return whether ``later`` makes trainable what this does not, or the reverse."""
        return isinstance(later, ParameterCommand) and later.trains != command.trains

    def snapshot(self, selection: Selection) -> list[Restore]:
        """Return what puts back all that a command about ``selection`` may change."""
        return [*self._scene.freezer.snapshot(selection), *self._scene.verification.snapshot()]

    def change(self, command: P, selection: Selection, step: int) -> Sequence[ParameterCommand]:
        """Bring about what a command asks for; return those whose proof it forestalls.

        The same twice is the same once.
        """
        superseded = self._scene.verification.withdraw(command, selection.indexes)
        self.flip(command, selection, step)
        return superseded

    def supersede(self, others: Sequence[ParameterCommand], command: P, step: int) -> None:
        """Report the commands whose proof ``command`` has forestalled."""
        for other in others:
            reason = f"a later {command.kind} came before it could be verified"
            self._scene.reports.supersede(other, reason, step)

    @abstractmethod
    def flip(self, command: P, selection: Selection, step: int) -> None:
        """Make the parameters trainable or not."""

    @abstractmethod
    def watch(self, command: P, selection: Selection, step: int) -> str | None:
        """Watch that the command holds; return what is to be told of it at once."""


class FreezeHandler(ParameterHandler[FreezeCommand]):
    """Freezes parameters; in mode ``no_grad`` after a step that shows what that would cut."""

    def admit(self, command: FreezeCommand, selection: Selection, step: int) -> bool:
        """Begin the trial of mode ``no_grad``; in mode ``grad`` it is applied with its batch."""
        super().admit(command, selection, step)
        if not command.without_graph:
            return True
        self._scene.trials.begin(command, selection)
        return False

    def apply_now(self, command: FreezeCommand, selection: Selection, step: int) -> None:
        """Do what a command of the script asks, between a boundary and a forward.

        What mode ``no_grad`` would cut is known after the next forward only: until then
        its parameters are frozen as in mode ``grad``.
        """
        if not command.without_graph:
            super().apply_now(command, selection, step)
            return
        with self.on_all_ranks(command, selection, step):
            freed = self._scene.gradient_bytes(selection)
            superseded = self.change(replace(command, mode="grad"), selection, step)
        self.supersede(superseded, command, step)
        self._scene.trials.outdate(command, selection, step)
        freed -= self._scene.gradient_bytes(selection)
        self._scene.saved.free_early(command, freed)
        if self._scene.agreement.leads:
            self._scene.trials.begin(command, selection, frozen=True)

    def flip(self, command: FreezeCommand, selection: Selection, step: int) -> None:
        """Freeze the parameters."""
        freeze = Freeze(
            command.by, command.mode, step, command.id, command.hold_stats, command.limit
        )
        self._scene.freezer.freeze(selection, freeze)
        self._scene.limits.add_freeze(command.target, freeze)

    def watch(self, command: FreezeCommand, selection: Selection, step: int) -> str | None:
        """Watch that the parameters keep their bits."""
        self._scene.verification.watch_freeze(command, selection.indexes, step)
        return None


class ThawHandler(ParameterHandler[ThawCommand]):
    """Makes parameters trainable again."""

    def __init__(self, scene: Scene, states: OptimizerState) -> None:
        super().__init__(scene)
        self._states = states

    def resolve(self, command: ThawCommand) -> Selection:
        """Return what a thaw touches, or raise why it cannot be done."""
        selection = super().resolve(command)
        if command.as_of is not None:
            selection = self._of_limit(selection, command.as_of)
        if command.reset_state:
            self._states.check(self._scene.table.parameters[i] for i in selection.indexes)
        return selection

    def snapshot(self, selection: Selection) -> list[Restore]:
        """Return what puts back all that a thaw may change, the optimizer's state included."""
        parameters = [self._scene.table.parameters[index] for index in selection.indexes]
        return [*super().snapshot(selection), self._states.snapshot(parameters)]

    def flip(self, command: ThawCommand, selection: Selection, step: int) -> None:
        """Thaw the parameters, with the optimizer's state that they had or with a new one."""
        if command.reset_state:
            self._states.reset(self._scene.table.parameters[i] for i in selection.indexes)
        self._scene.freezer.thaw(selection)

    def _of_limit(self, selection: Selection, step: int) -> Selection:
        """Return of a selection what was frozen at ``step`` with a limit, and is so still.

        Raises :class:`CommandError` where that is nothing.
        """
        table, freezes = self._scene.table, self._scene.freezer.records.freezes
        indexes = [
            index
            for index in selection.indexes
            if (freeze := freezes.get(index)) and freeze.limit and freeze.since_step == step
        ]
        if not indexes:
            raise CommandError("what had this limit is frozen by another command, or thawed.")
        kept = [name for index in freezes.keys() - set(indexes) for name in table.names[index]]
        norms = [p for p in selection.norms if not any(n.startswith(f"{p}.") for n in kept)]
        return Selection(indexes, selection.modules, tuple(norms))

    def watch(self, command: ThawCommand, selection: Selection, step: int) -> str | None:
        """Watch that the parameters are trained; say which no optimizer holds."""
        self._scene.verification.watch_thaw(command, selection.indexes, step)
        return self._scene.verification.find_untrained(selection.indexes)
