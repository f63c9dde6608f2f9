"""Answers the question what a command would touch, asked in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from torch.optim import Optimizer

from ..base.errors import CommandError, GradgateError
from ..base.guard import Guard
from ..base.retry import consistently
from ..model.commands import Command, ParameterCommand
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..model.upstream import Upstream
from ..torch_compat.wrappers import Wrappers
from .observation import Observation, Observing
from .preview import Preview, preview
from .reports import fault_sentence
from .steering import Steering

Answer: TypeAlias = Callable[["Preview | None", "str | None"], None]
"""Called with the preview, or with the reason why the command would be rejected."""

FEWEST_STEPS = 1.0
"""Steps per second below which nobody waits for a forward to show what flows where."""


@dataclass
class _Question:
    """Mode ``no_grad`` is asked about: a forward has to show what flows into the modules."""

    command: ParameterCommand
    selection: Selection
    answer: Answer


class PreviewRequests:
    """Previews of commands; those that need to see a forward are answered at a boundary."""

    def __init__(
        self,
        table: ParameterTable,
        optimizers: Sequence[Optimizer],
        steering: Steering,
        observing: Observing,
        wrappers: Wrappers,
        guard: Guard,
    ) -> None:
        self._table = table
        self._optimizers = optimizers
        self._steering = steering
        self._observing = observing
        self._wrappers = wrappers
        self._guard = guard
        self._lock = threading.Lock()
        self._waiting: list[_Question] = []
        self._observed: list[tuple[_Question, Observation]] = []

    def now(self, command: Command) -> Preview:
        """Return what ``command`` would touch, as far as it is known without another forward.

        Raises as :meth:`Steering.resolve`.
        """
        change, selection = self._resolve(command)
        return self._preview(change, selection, None)

    def ask(self, command: Command, answer: Answer, steps_per_second: float | None) -> None:
        """Answer at once, or after the next forward: in another thread than the training's.

        ``steps_per_second``: how fast the job is; one that hardly moves is not waited for.
        """
        may_wait = (steps_per_second or 0.0) >= FEWEST_STEPS
        self._alone(answer, partial(self._ask, command, answer, may_wait=may_wait))

    @property
    def waiting(self) -> bool:
        """Whether something was asked that is not answered yet."""
        return bool(self._waiting or self._observed)

    def boundary(self) -> None:
        """Answer what the step before has shown, and watch the next for what is new."""
        if not self.waiting:
            return
        with self._lock:
            new, self._waiting = self._waiting, []
        done, self._observed = self._observed, []
        for question, observation in done:
            self._alone(question.answer, partial(self._answer, question, observation))
        for question in new:
            self._alone(question.answer, partial(self._observe, question))

    def stop(self) -> None:
        """Answer no more."""
        self._observed.clear()
        self._observing.stop()

    def _ask(self, command: Command, answer: Answer, *, may_wait: bool) -> None:
        try:
            change, selection = self._resolve(command)
        except GradgateError as error:
            answer(None, str(error))
            return
        if change.without_graph and may_wait:
            with self._lock:
                self._waiting.append(_Question(change, selection, answer))
        else:
            answer(self._preview(change, selection, None), None)

    def _observe(self, question: _Question) -> None:
        self._observed.append((question, self._observing.begin(question.selection)))

    def _answer(self, question: _Question, observation: Observation) -> None:
        observation.end()
        upstream = observation.upstream()
        problem = observation.problem()
        if problem is not None and not upstream.indexes:
            question.answer(None, problem)
        else:
            question.answer(self._preview(question.command, question.selection, upstream), None)

    def _alone(self, answer: Answer, do: Callable[[], None]) -> None:
        """Deal with one question; a fault of the probe's own is its answer."""
        with self._guard.attempt() as attempt:
            do()
        if attempt.error is not None:
            answer(None, fault_sentence(attempt))

    def _resolve(self, command: Command) -> tuple[ParameterCommand, Selection]:
        command.check()
        if not isinstance(command, ParameterCommand):
            raise CommandError(
                f"a preview shows what a freeze or a thaw would touch, and no {command.kind}."
            )
        return command, consistently(partial(self._steering.resolve, command))

    def _preview(
        self, command: ParameterCommand, selection: Selection, upstream: Upstream | None
    ) -> Preview:
        return preview(
            command,
            selection,
            table=self._table,
            optimizers=self._optimizers,
            upstream=upstream,
            compiled=self._wrappers.is_compiled(),
        )
