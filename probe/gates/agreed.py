"""What gates decide by in a distributed job: the same on every rank, whatever is known on each."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..conditions.names import BEFORE_GRADIENT, NORMS
from ..distributed.exchange import RanksApart
from ..distributed.ranks import Ranks
from .gate import Gate

MOST_MISSED = 3
"""Times that ranks may fail to come together for a gate, before nobody waits for it any more."""
FORGOTTEN_AFTER = 1000
"""Steps after which a failure does not count any more. What comes between does not make up for it:
where a rank uses a module in every other step only, each of the others would take its time."""


class AgreedFigures:
    """Shares between the ranks what a gate asks for, in the step in which it asks.

    Every decision is made anew on each rank, from the same figures: those that conditions name
    are rank 0's, once a step, and a norm is that of all ranks' gradients together.
    """

    def __init__(
        self,
        ranks: Ranks,
        gates: Callable[[], Sequence[Gate]],
        known: Callable[[Gate], Mapping[str, float]],
        uneven: Callable[[], bool],
    ) -> None:
        """``known``: gives the figures that this rank knows of a gate's names.

        ``uneven``: whether a rank may have run out of data, and comes to no gate.
        """
        self._uneven = uneven
        self._ranks = ranks
        self._gates = gates
        self._known = known
        self._step = 0
        """The step whose figures were shared."""
        self._figures: Mapping[str, Mapping[str, float]] = {}
        self._problem: str | None = None
        self._asked: dict[str, int] = {}
        """How often something was shared in the present step, by its series."""
        self._missed: dict[str, _Missed] = {}
        """What was not shared of late, by its series."""

    def begin(self, step: int) -> None:
        """Say, in case another rank asks, that this one has begun the step."""
        self._ranks.begin(step)

    def open(self, step: int) -> None:
        """Share what the conditions of all gates name, once in a step, on every rank."""
        if self._step == step:
            return
        self._ranks.begin(step)  # the forward of a compiled model is not seen
        self._step, self._figures, self._problem = step, {}, None
        self._asked.clear()
        asking = [gate for gate in self._gates() if _figures_named(gate)]
        if not asking:
            return
        given = {str(gate.id): self._given(gate) for gate in asking} if self._ranks.leader else {}
        try:
            self._figures = self._share(self._of_all("figures"), given, step)[0]
        except RanksApart as error:
            self._problem = str(error)

    def figures(self, gate: Gate, step: int) -> Mapping[str, float]:
        """Return what the condition of a gate names; raise :class:`RanksApart` without it."""
        self.open(step)
        if self._problem is not None and _figures_named(gate):
            raise RanksApart(self._problem)
        return self._figures.get(str(gate.id), {})

    def norm(self, gate: Gate, step: int, own: float, copies: int | None) -> float:
        """Return the norm of the gradient that has arrived at a gate on all ranks together.

        ``own``: that of this rank's. ``copies``: how many ranks have the same part of it, where it
        is sharded; None where it is that of a rank's own batch: as the loss of the job is the mean
        of the ranks' losses, it is the norm that one process with the batches of all would see.
        """
        series = f"norm/{gate.id}/{gate.settings.since_step}"
        norms = self._share(series, own, step)
        squares = sum(norm * norm for norm in norms)
        return math.sqrt(squares / copies) if copies else math.sqrt(squares) / self._ranks.size

    def lists(self, indexes: Collection[int], step: int) -> list[set[int]]:
        """Return the parameters that each rank gives; none where they do not come together."""
        self.open(step)
        try:
            return [
                set(of_one)
                for of_one in self._share(self._of_all("parameters"), sorted(indexes), step)
            ]
        except RanksApart:
            return []

    def _given(self, gate: Gate) -> dict[str, float]:
        names, known = _figures_named(gate), gate.decider.known(self._known(gate))
        return {name: float(known[name]) for name in names if name in known}

    def _share(self, series: str, value: object, step: int) -> list[Any]:
        if self._uneven():
            raise RanksApart(
                "the job trains under join(), in which a rank that has run out of data comes to no "
                "gate; give a condition by step alone"
            )
        latest = self._missed.get(series)
        missed = 0 if latest is None or latest.is_forgotten(step) else latest.times
        if latest is not None and missed >= MOST_MISSED:
            raise RanksApart(
                f"{latest.why}, and nobody waits for that any more after {missed} times; "
                "change the gate to have it tried again"
            )
        number = self._asked[series] = self._asked.get(series, 0) + 1
        try:
            return self._ranks.share(series, f"{step}/{number}", value, step)
        except RanksApart as error:
            self._missed[series] = _Missed(missed + 1, step, str(error))
            raise

    def _of_all(self, what: str) -> str:
        """Return the series of something that is shared for all gates, as they are now."""
        return f"{what}/{max((gate.settings.since_step for gate in self._gates()), default=0)}"


@dataclass(frozen=True)
class _Missed:
    """What was not shared between the ranks."""

    times: int
    step: int
    why: str

    def is_forgotten(self, step: int) -> bool:
        return self.times < MOST_MISSED and step - self.step > FORGOTTEN_AFTER


def _figures_named(gate: Gate) -> frozenset[str]:
    """Return what a condition names that ranks may know differently."""
    return gate.decider.condition.names - NORMS - BEFORE_GRADIENT
