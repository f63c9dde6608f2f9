"""Answers the question what a command would touch, asked in any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from torch.optim import Optimizer

from ..base.errors import GradgateError
from ..base.retry import consistently
from ..model.commands import ParameterCommand
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..model.upstream import Upstream, UpstreamObserver
from ..torch_compat.wrappers import Wrappers
from .preview import Preview, preview
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
    observers: dict[str, UpstreamObserver] = field(default_factory=dict)


class Previews:
    """Previews of commands; those that need to see a forward are answered at a boundary."""

    def __init__(
        self,
        table: ParameterTable,
        optimizers: Sequence[Optimizer],
        steering: Steering,
        wrappers: Wrappers,
    ) -> None:
        self._table = table
        self._optimizers = optimizers
        self._steering = steering
        self._wrappers = wrappers
        self._lock = threading.Lock()
        self._waiting: list[_Question] = []
        self._observed: list[_Question] = []

    def now(self, command: ParameterCommand) -> Preview:
        """What ``command`` would touch, as far as it is known without another forward.

        Raises as :meth:`Steering.resolve`.
        """
        selection = consistently(lambda: self._steering.resolve(command))
        return self._preview(command, selection, None)

    def ask(
        self, command: ParameterCommand, answer: Answer, steps_per_second: float | None
    ) -> None:
        """Answer at once, or after the next forward: in another thread than the training's.

        ``steps_per_second``: how fast the job is; one that hardly moves is not waited for.
        """
        try:
            selection = consistently(lambda: self._steering.resolve(command))
        except GradgateError as error:
            answer(None, str(error))
            return
        if command.without_graph and (steps_per_second or 0.0) >= FEWEST_STEPS:
            with self._lock:
                self._waiting.append(_Question(command, selection, answer))
        else:
            answer(self._preview(command, selection, None), None)

    def boundary(self) -> None:
        """Answer what the step before has shown, and watch the next for what is new."""
        if not self._waiting and not self._observed:
            return
        with self._lock:
            new, self._waiting = self._waiting, []
        done, self._observed = self._observed, new
        for question in done:
            upstream = _together([observer.seen() for observer in question.observers.values()])
            problem = self._steering.cut(question.observers)
            if problem is not None and not upstream.indexes:
                question.answer(None, problem)
            else:
                seen = self._preview(question.command, question.selection, upstream)
                question.answer(seen, None)
        for question in new:
            question.observers = self._steering.observe(question.selection)

    def stop(self) -> None:
        """Answer no more."""
        for question in self._observed:
            for observer in question.observers.values():
                observer.remove()
        self._observed.clear()

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


def _together(seen: Sequence[Upstream]) -> Upstream:
    """What flowed into several modules; not called, where one of them was not."""
    return Upstream(
        called=all(each.called for each in seen),
        indexes=sorted({index for each in seen for index in each.indexes}),
        foreign=any(each.foreign for each in seen),
    )
