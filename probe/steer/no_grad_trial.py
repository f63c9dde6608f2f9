"""Tries freezes in mode ``no_grad``: a forward has to show what they would cut off."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ..base.guard import Guard
from ..model.commands import ParameterCommand
from ..model.selection import Selection
from .observation import Observation, Observing
from .reports import Reports, fault_sentence

logger = logging.getLogger("gradgate")

Chosen = tuple[ParameterCommand, Selection]
"""A command, and what it touches."""


@dataclass
class _Trial:
    """A command that waits for a forward."""

    command: ParameterCommand
    selection: Selection
    observation: Observation
    frozen: bool
    """Made in Python between two steps: its parameters are frozen already."""


class NoGradTrials:
    """Holds commands back for a step, and lets those pass that cut nothing."""

    def __init__(self, observing: Observing, reports: Reports, guard: Guard) -> None:
        self._observing = observing
        self._reports = reports
        self._guard = guard
        self.trials: list[_Trial] = []
        """Those that no step has decided yet."""

    def begin(
        self, command: ParameterCommand, selection: Selection, *, frozen: bool = False
    ) -> None:
        """Try a command in the coming step; ``frozen``: its parameters are, in mode ``grad``."""
        observation = self._observing.begin(selection)
        self.trials.append(_Trial(command, selection, observation, frozen))

    def decide(self, step: int) -> list[Chosen]:
        """Return the commands that were seen to cut nothing, and reject the others."""
        trials, self.trials = self.trials, []
        return [
            (trial.command, trial.selection) for trial in trials if self._has_passed(trial, step)
        ]

    def outdate(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        """Let a command stand over earlier ones that still wait for their trial."""
        touched, norms = set(selection.indexes), set(selection.norms)
        for trial in list(self.trials):
            earlier = trial.selection
            trial.selection = replace(
                earlier,
                indexes=[index for index in earlier.indexes if index not in touched],
                norms=tuple(path for path in earlier.norms if path not in norms),
            )
            if not trial.selection.indexes:
                trial.observation.end()
                self.trials.remove(trial)
                reason = f"a later {command.kind} came before the step that was to show its effect"
                self._reports.supersede(trial.command, reason, step)

    def stop(self) -> None:
        """Stop watching: nothing more is decided."""
        self.trials.clear()
        self._observing.stop()

    def _has_passed(self, trial: _Trial, step: int) -> bool:
        problem: str | None = None
        with self._guard.attempt() as attempt:
            trial.observation.end()
            problem = trial.observation.problem()
        if attempt.error is not None:
            problem = f"{fault_sentence(attempt)}."
        if problem is None:
            return True
        if trial.frozen:
            problem += " Its parameters are frozen in mode 'grad'."
            logger.warning("gradgate: %s", problem)
        self._reports.reject(trial.command, problem, step)
        return False
