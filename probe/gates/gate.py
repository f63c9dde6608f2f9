"""One gate: a site, a condition and an action, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.wire_text import wire_text
from ..conditions.compiler import Condition
from ..conditions.names import MOVEMENT
from ..model.gate_info import GateInfo
from ..model.limit import Limit
from ..model.limit import as_message as limit_message
from ..model.table import ParameterTable
from .actions import Action
from .arrivals import Arrivals
from .decider import Decider
from .reach import Reach
from .sites import ParameterSite, Site


@dataclass(frozen=True)
class GateSettings:
    """What a command makes a gate of."""

    id: int
    site: Site
    condition: Condition
    action: Action
    hold: int
    paused: bool
    by: str
    command: int | None
    since_step: int
    limit: Limit | None = None


class Gate:
    """A gate at work; a step's decisions are made as gradients arrive."""

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self.decider = Decider(settings.condition, settings.hold)
        self.arrivals = Arrivals()
        self.reach = Reach()
        """Those whose gradient passes through the site, as of the latest look at the graph."""
        self.parameters: list[int] = []
        """Those that got no gradient because of it in the latest step."""
        self.norm_in: float | None = None
        self.norm_out: float | None = None
        self.is_reduced = False
        """Whether it is on a parameter whose gradient is reduced over ranks, and acts on that."""
        self.index: int | None = None
        """Where in the table of parameters the gated one was last found, of a gate on one."""

    @property
    def id(self) -> int:
        """Its number."""
        return self.settings.id

    @property
    def site(self) -> Site:
        """Where it is."""
        return self.settings.site

    @property
    def action(self) -> Action:
        """What it does while it is closed."""
        return self.settings.action

    @property
    def problem(self) -> str | None:
        """What keeps it from working, or None."""
        return self.decider.problem or self.arrivals.problem

    @property
    def is_closed(self) -> bool:
        """Whether it is closed in the present step, or was in the latest if that is over."""
        return self.arrivals.closed_now or (self.decider.closed and not self.settings.paused)

    @property
    def decides_before_forward(self) -> bool:
        """Whether it is decided before the forward, so that its parameter costs no work."""
        on_parameter = isinstance(self.site, ParameterSite) and not self.is_reduced
        return on_parameter and self.action.blocks and not self.decider.condition.needs_norm

    def blocks_in_forward(self, step: int) -> bool:
        """Return whether it is known before the gradient that nothing will pass in ``step``."""
        if self.settings.paused or not self.action.blocks:
            return False
        return self.decider.closes_in_forward(step)

    def decide(
        self,
        step: int,
        metrics: Mapping[str, float],
        norm: Callable[[], float],
        *,
        cut: bool = False,
    ) -> bool:
        """Return whether it is closed to what arrives now; ``norm`` is asked only if needed.

        ``cut``: what arrives was cut off in the forward because of it, whatever holds by now.
        """
        closed = cut
        if not self.settings.paused:
            closed |= self.decider.decide(step, metrics, norm)
        self.arrivals.record(closed=closed)
        return closed

    def record_norm(self, norm: float, *, closed: bool) -> None:
        """Take in the norm of a gradient that has come to the gate, closed or open to it."""
        self.norm_in = norm
        self.norm_out = self.action.norm_after(norm) if closed else norm

    def end_step(self, why_none: Callable[[], str]) -> bool:
        """Account for the step that has ended; return whether a gradient came to the gate."""
        closed = self.arrivals.closed_now
        arrived = self.arrivals.end_step(why_none)
        self.decider.closed = arrived and closed
        if not arrived:
            self.parameters = []
        return arrived

    def find_parameter(self, table: ParameterTable) -> int | None:
        """Return the index of the parameter that the gate is on; None if it is no longer there.

        A gate follows its name to another tensor, and its tensor to another name.
        """
        names, known = table.names, self.index
        if known is None or self.site.name not in names[known]:
            found = (i for i, aliases in enumerate(names) if self.site.name in aliases)
            self.index = next(found, known)
        return None if self.index is None or not names[self.index] else self.index

    def weight_in(self, table: ParameterTable) -> int | None:
        """Return the index of the parameter whose movement the condition asks for, or None."""
        asks = not MOVEMENT.isdisjoint(self.decider.condition.names)
        return self.find_parameter(table) if asks and isinstance(self.site, ParameterSite) else None

    def info(self, name: Callable[[int], str]) -> GateInfo:
        """Return the gate as Python reports it; ``name`` gives a parameter's name."""
        fields = self.as_message()
        fields["parameters"] = tuple(name(index) for index in self.parameters)
        fields |= {"norm_in": self.norm_in, "norm_out": self.norm_out}
        fields["limit"] = self.settings.limit
        return GateInfo(**fields)

    def as_message(self) -> dict[str, Any]:
        """Return the gate as the wire protocol has it."""
        settings = self.settings
        return {
            "id": settings.id,
            "site": settings.site.text,
            "when": settings.condition.text,
            "action": settings.action.kind,
            "factor": settings.action.factor,
            "max_norm": settings.action.max_norm,
            "hold": settings.hold,
            "paused": settings.paused,
            "by": settings.by,
            "command": settings.command,
            "since_step": settings.since_step,
            "limit": limit_message(settings.limit),
            "closed": self.decider.closed,
            "steps": self.arrivals.steps,
            "closed_steps": self.arrivals.closed_steps,
            "norm_in": _finite(self.norm_in),
            "norm_out": _finite(self.norm_out),
            "problem": None if self.problem is None else wire_text(self.problem),
            "parameters": list(self.parameters),
        }


def _finite(value: float | None) -> float | None:
    """Return a number that JSON has, or None."""
    return value if value is not None and math.isfinite(value) else None
