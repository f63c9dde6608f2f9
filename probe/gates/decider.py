"""What a gate decides by: its condition, holding, and what it remembers of earlier steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..base.errors import ConditionError
from ..conditions.compiler import Condition

AVERAGED = 10
"""Arrivals over which ``norm_avg`` averages, about: each new one weighs 1 / AVERAGED."""


class Decider:
    """Decides whether a gate is closed to a gradient; the same in training and in a dry run."""

    def __init__(self, condition: Condition, hold: int) -> None:
        """``hold``: steps for which it stays closed at least, once it has closed."""
        self.condition = condition
        self.closed = False
        """Whether the gate was closed in the step before, as conditions ask for it."""
        self.problem: str | None = None
        """Why the condition could not be told when it was last asked."""
        self._hold = hold
        self._held_until = 0
        self._norm_avg: float | None = None
        self._restored_metrics: Mapping[str, float] = {}
        """Metrics as they were when the gate was saved, until they are logged anew."""

    def decide(self, step: int, metrics: Mapping[str, float], norm: Callable[[], float]) -> bool:
        """Return whether the gate closes to what arrives now; ``norm`` is asked only if needed."""
        values = {**self.known(metrics), "step": step, "closed": self.closed}
        if self.condition.needs_norm:
            values["norm"] = arrived = norm()
            values["norm_avg"] = arrived if self._norm_avg is None else self._norm_avg
            self._norm_avg = values["norm_avg"] + (arrived - values["norm_avg"]) / AVERAGED
        if step < self._held_until:
            return True
        closed = self._evaluate(values)
        if closed:
            self._held_until = step + self._hold
        return closed

    def known(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Return metrics as they are, or were when the gate was saved if not logged since."""
        return {**self._restored_metrics, **metrics}

    def closes_in_forward(self, step: int) -> bool:
        """Return whether it is known before the gradient of ``step`` that the gate closes to it."""
        if not self.condition.known_in_forward:
            return False
        return step < self._held_until or self._evaluate({"step": step, "closed": self.closed})

    def memory(self, step: int, metrics: Mapping[str, float]) -> dict[str, Any]:
        """Return what ``step``, the coming one, is decided on, for a checkpoint."""
        known = self.known(metrics)
        return {
            "closed": self.closed,
            "held": max(0, self._held_until - step),
            "norm_avg": self._norm_avg,
            "metrics": {name: known[name] for name in self.condition.names & known.keys()},
        }

    def restore(self, memory: Mapping[str, Any], step: int) -> None:
        """Go on, at ``step``, where :meth:`memory` was asked."""
        self.closed = memory["closed"]
        self._held_until = step + memory["held"]
        self._norm_avg = memory["norm_avg"]
        self._restored_metrics = dict(memory["metrics"])

    def _evaluate(self, values: Mapping[str, float]) -> bool:
        try:
            closed = self.condition.evaluate(values)
        except ConditionError as error:
            self.problem = f"open, because the condition cannot be told: {error}"
            return False
        self.problem = None
        return closed
