"""One gate: a site, a condition and an action, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import ConditionError
from ..conditions.compiler import Condition
from ..model.gate_info import GateInfo
from .actions import Action
from .reach import Reach
from .sites import PARAMETER, Site

AVERAGED = 10
"""Arrivals over which ``norm_avg`` averages, about: each new one weighs 1 / AVERAGED."""
FOREKNOWN = frozenset({"step", "closed"})
"""What a condition may ask for that is known before the gradient, and the same all step long."""
UNREACHED = 5
"""Steps after which a gate that no gradient has come to says so."""


@dataclass
class Gate:
    """A gate at work; a step's decisions are made as gradients arrive."""

    id: int
    site: Site
    condition: Condition
    action: Action
    hold: int
    paused: bool
    by: str
    command: int | None
    since_step: int
    index: int | None = None
    """Where in the table of parameters the gated one was last found, of a gate on one."""
    closed: bool = False
    steps: int = 0
    closed_steps: int = 0
    norm_in: float | None = None
    norm_out: float | None = None
    parameters: list[int] = field(default_factory=list)
    """Those that got no gradient because of it in the latest step."""
    reach: Reach = field(default_factory=Reach)
    """Those whose gradient passes through the site, as of the latest look at the graph."""
    _undecided: str | None = None
    """Why its condition could not be told at the latest arrival."""
    _bypassed: str | None = None
    """Why gradients do not come to it, once that has lasted."""
    _bypassed_now: bool = False
    """A gradient has gone past it in the present step."""
    _norm_avg: float | None = None
    _recalled: Mapping[str, float] = field(default_factory=dict)
    """Metrics as they were when the gate was saved, until they are logged anew."""
    _held_until: int = 0
    _reached: bool = False
    """A gradient came in the present step."""
    _closed_now: bool = False
    """It was closed at least once in the present step."""
    _waited: int = 0

    @property
    def problem(self) -> str | None:
        """What keeps it from working, or None."""
        return self._undecided or self._bypassed

    @property
    def closed_now(self) -> bool:
        """Whether it was closed in the present step so far."""
        return self._closed_now

    @property
    def is_closed(self) -> bool:
        """Whether it is closed in the present step, or was in the latest if that is over."""
        return self._closed_now or (self.closed and not self.paused)

    @property
    def is_early(self) -> bool:
        """Whether it is decided before the forward, so that its parameter costs no work."""
        blocks = self.site.kind == PARAMETER and self.action.kind == "block"
        return blocks and not self.condition.needs_norm

    def memory(self, step: int, metrics: Mapping[str, float]) -> dict[str, Any]:
        """What ``step``, the coming one, is decided on, besides the gate's own fields."""
        known = {**self._recalled, **metrics}
        return {
            "closed": self.closed,
            "held": max(0, self._held_until - step),
            "norm_avg": self._norm_avg,
            "metrics": {name: known[name] for name in self.condition.names & known.keys()},
        }

    def recall(self, memory: Mapping[str, Any], step: int) -> None:
        """Go on, at ``step``, where :meth:`memory` was asked."""
        self.closed = memory["closed"]
        self._held_until = step + memory["held"]
        self._norm_avg = memory["norm_avg"]
        self._recalled = dict(memory["metrics"])

    def is_foregone(self, step: int) -> bool:
        """Whether it is known before the gradient that nothing will pass in ``step``."""
        if self.paused or self.action.kind != "block" or not self.condition.names <= FOREKNOWN:
            return False
        return step < self._held_until or self._would_close({"step": step, "closed": self.closed})

    def decide(
        self,
        step: int,
        metrics: Mapping[str, float],
        norm: Callable[[], float],
        *,
        foregone: bool = False,
    ) -> bool:
        """Whether the gate is closed to what arrives now; ``norm`` is asked only if needed.

        ``foregone``: what arrives was cut off in the forward, whatever holds by now.
        """
        self._reached = True
        closed = not self.paused and self._is_closed(step, metrics, norm)
        self._closed_now |= closed or foregone
        return closed or foregone

    def await_gradient(self) -> None:
        """Found open ahead of the gradient: whether one comes is yet to be seen."""
        self._reached = False

    def _is_closed(
        self, step: int, metrics: Mapping[str, float], norm: Callable[[], float]
    ) -> bool:
        values = {**self._recalled, **metrics, "step": step, "closed": self.closed}
        if self.condition.needs_norm:
            values["norm"] = arrived = norm()
            values["norm_avg"] = arrived if self._norm_avg is None else self._norm_avg
            self._norm_avg = values["norm_avg"] + (arrived - values["norm_avg"]) / AVERAGED
        if step < self._held_until:
            return True
        closed = self._would_close(values)
        if closed:
            self._held_until = step + self.hold
        return closed

    def _would_close(self, values: Mapping[str, float]) -> bool:
        try:
            closed = self.condition.evaluate(values)
        except ConditionError as error:
            self._undecided = f"open, because the condition cannot be told: {error}"
            return False
        self._undecided = None
        return closed

    def bypass(self, why: str) -> None:
        """Note that a gradient goes past the gate in the present step."""
        self._bypassed, self._bypassed_now = why, True

    def measured(self, norm: float, *, closed: bool) -> None:
        """Note the norm of a gradient that has come to the gate, closed or open, and passed it."""
        self.norm_in = norm
        self.norm_out = self.action.norm_after(norm) if closed else norm

    def end_step(self, why_unreached: Callable[[], str]) -> bool:
        """Account for the step that has ended; return whether a gradient came to the gate."""
        reached = self._reached
        if reached:
            self.steps += 1
            self.closed_steps += self._closed_now
            self.closed = self._closed_now
            self._waited = 0
            if not self._bypassed_now:
                self._bypassed = None
        else:
            self._waited += 1
            self.parameters = []
            self.closed = False
            if self._waited % UNREACHED == 0:
                reason = why_unreached()
                self._bypassed = f"no gradient has come here for {self._waited} steps: {reason}"
        self._reached = self._closed_now = self._bypassed_now = False
        return reached

    def info(self, name: Callable[[int], str]) -> GateInfo:
        """The gate as Python reports it; ``name`` gives a parameter's name."""
        fields = self.as_message()
        fields["parameters"] = tuple(name(index) for index in self.parameters)
        fields |= {"norm_in": self.norm_in, "norm_out": self.norm_out}
        return GateInfo(**fields)

    def as_message(self) -> dict[str, Any]:
        """The gate as the wire protocol has it."""
        return {
            "id": self.id,
            "site": self.site.text,
            "when": self.condition.text,
            "action": self.action.kind,
            "factor": self.action.factor,
            "max_norm": self.action.max_norm,
            "hold": self.hold,
            "paused": self.paused,
            "by": self.by,
            "command": self.command,
            "since_step": self.since_step,
            "closed": self.closed,
            "steps": self.steps,
            "closed_steps": self.closed_steps,
            "norm_in": _finite(self.norm_in),
            "norm_out": _finite(self.norm_out),
            "problem": self.problem,
            "parameters": list(self.parameters),
        }


def _finite(value: float | None) -> float | None:
    """A number that JSON has, or None."""
    return value if value is not None and math.isfinite(value) else None
