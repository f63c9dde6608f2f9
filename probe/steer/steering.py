"""Takes the commands of a run through a step boundary: verified, tried, agreed on and applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from ..base.errors import CommandError, GradgateError
from ..base.guard import Guard
from ..base.undo import Restore
from ..freeze.freezer import Freezer
from ..model.commands import Command, ParameterCommand
from ..model.selection import Selection
from .gate_proofs import GateProofs
from .handler import Handler, Handlers
from .limits import Limits
from .no_grad_trial import NoGradTrials
from .queue import CommandQueue
from .rank_agreement import RankAgreement
from .rank_verdicts import RankVerdicts
from .reports import Reports, fault_sentence
from .verification import Verification

T = TypeVar("T")

Chosen = tuple[Command, Selection]
"""A command, and what it touches."""


class Steering:
    """Coordinates the parts of a boundary; what a kind of command does is its handler's.

    Each command is guarded alone: one that fails by a fault of the probe's own is rejected
    with a sentence that names the fault, and the others go on.
    """

    def __init__(
        self,
        handlers: Handlers,
        queue: CommandQueue,
        trials: NoGradTrials,
        verification: Verification,
        verdicts: RankVerdicts | None,
        proofs: GateProofs,
        agreement: RankAgreement,
        limits: Limits,
        freezer: Freezer,
        reports: Reports,
        guard: Guard,
    ) -> None:
        self._handlers = handlers
        self._queue = queue
        self._trials = trials
        self._verification = verification
        self._verdicts = verdicts
        self._proofs = proofs
        self._agreement = agreement
        self._limits = limits
        self._freezer = freezer
        self._reports = reports
        self._guard = guard
        self._begun = False
        """Something was commanded."""

    @property
    def rests(self) -> bool:
        """Whether nothing was ever commanded, so that there is nothing to verify or to apply."""
        return not (self._begun or self._queue.waiting or self._agreement.is_needed)

    def resolve(self, command: Command) -> Selection:
        """Return what a command touches, or raise :class:`GradgateError` if it cannot be done."""
        command.check()
        return self._handler(command).resolve(command)

    def boundary(self, step: int, *, look: bool, skipped: bool = False) -> bool:
        """Verify and apply at the boundary after ``step``; return whether freezes changed.

        ``look``: look whether what is frozen was written to, also when no proof is due.
        ``skipped``: the optimizer did not apply that step, so it proves nothing.
        """
        self._begun |= not self.rests
        if not skipped:
            with self._guard:
                self._verify(step, look=look)
            if self._proofs.waiting:
                self._proofs.boundary(step)
        changed = False
        if self._freezer.no_grad.paths:
            with self._guard:
                changed = self._leave_no_grad()
        if self._limits.lasting and self._agreement.leads:
            with self._guard:
                for undoing in self._limits.due(step):
                    self._queue.submit(undoing)
        batch: list[Chosen] = [*self._trials.decide(step)] if self._trials.trials else []
        if self._queue.waiting:
            batch += self._admit(self._queue.take(), step)
        if self._agreement.is_needed:
            agreed = self._agreement.exchange([command for command, _ in batch], step)
            batch = [*self._accept(agreed, step)]
        for position, (command, selection) in enumerate(batch):
            self._apply(command, selection, batch[position + 1 :], step)
        return bool(batch) or changed

    def apply_now(self, command: Command, selection: Selection, step: int) -> None:
        """Do what a command of the script asks, between a boundary and a forward.

        Raises :class:`CommandError`, with nothing done, where a fault of the probe's own is in
        the way.
        """
        self.do(partial(self._handler(command).apply_now, command, selection, step))

    def snapshot(self, selection: Selection) -> list[Restore]:
        """Return what puts back all that freezes and thaws of ``selection`` may change."""
        return [*self._freezer.snapshot(selection), *self._verification.snapshot()]

    def do(self, change: Callable[[], object]) -> None:
        """Do what the script asks, for which any error that keeps it from being done is a sentence.

        ``change`` does all that it does, or nothing.
        """
        self._begun = True
        _, problem = self._attempt(change)
        if problem is not None:
            raise problem

    def restore(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        """Bring about what a checkpoint holds: it was tried when it was first commanded."""
        self._begun = True
        self._trials.outdate(command, selection, step)
        self._handler(command).apply(command, selection, step)

    def stop(self) -> None:
        """Stop watching for trials: nothing more is decided."""
        self._trials.stop()

    def _handler(self, command: Command) -> Handler[Any]:
        return self._handlers[type(command)]

    def _verify(self, step: int, *, look: bool) -> None:
        reports = self._verification.boundary(step, look=look)
        for report in self._verdicts.merge(reports) if self._verdicts else reports:
            self._reports.send(report)

    def _leave_no_grad(self) -> bool:
        """Tell of modules that ran with their graph, for something trainable feeds them now."""
        left = self._freezer.leave_no_grad()
        for path, indexes in left.items():
            reason = (
                f"{path or 'the model'} runs with its graph again, in mode 'grad': what flows "
                "into it carries a gradient now, or something trainable is in it, which would "
                "be cut off"
            )
            for report in self._verification.drift(indexes, "no_grad", reason):
                self._reports.send(report)
        return bool(left)

    def _accept(self, commands: Iterable[Command], step: int) -> Iterator[Chosen]:
        """Yield the commands that can be done, with what each touches; reject the others."""
        for command in commands:
            selection = self._alone(command, step, partial(self.resolve, command))
            if selection is not None:
                yield command, selection

    def _admit(self, commands: Iterable[Command], step: int) -> Iterator[Chosen]:
        """Give each command to its handler; yield those that are to be applied with the batch."""
        for command, selection in self._accept(commands, step):
            admit = partial(self._handler(command).admit, command, selection, step)
            if self._alone(command, step, admit):
                yield command, selection

    def _apply(
        self, command: Command, selection: Selection, later: Sequence[Chosen], step: int
    ) -> None:
        """Apply a command, unless later ones of the same batch undo all of it."""
        handler = self._handler(command)
        undoing = [chosen for chosen in later if handler.is_undone_by(command, chosen[0])]
        undone = {index for _, others in undoing for index in others.indexes}
        if undoing and undone.issuperset(selection.indexes):
            reason = f"a later command asked at the same step to {undoing[0][0].kind}"
            self._reports.supersede(command, reason, step)
            return
        self._alone(command, step, partial(handler.apply, command, selection, step))

    def _alone(self, command: Command, step: int, do: Callable[[], T]) -> T | None:
        """Return what ``do`` returns for one command; where it raises, reject that one."""
        done, problem = self._attempt(do)
        if problem is not None:
            # A condition's error has a picture of the place below its sentence.
            self._reports.reject(command, str(problem).partition("\n")[0], step)
        return done

    def _attempt(self, do: Callable[[], T]) -> tuple[T | None, GradgateError | None]:
        """Return what ``do`` returns, or the error that says why it could not be done."""
        with self._guard.attempt() as attempt:
            try:
                return do(), None
            except GradgateError as error:
                return None, error
        return None, CommandError(f"{fault_sentence(attempt)}; nothing was done")
