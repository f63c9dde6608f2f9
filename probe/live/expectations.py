"""What ought to train, as the script declared it, and what of that does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..base.errors import ExpectationError
from ..base.states import State
from ..base.targets import resolve
from ..diagnosis.explanation import Explanation
from ..model.sample import Sample
from ..model.table import ParameterTable
from .missing import MISSING

PATIENCE = 2
"""Samples in a row after which an expected parameter that does not train is an alert."""
NAMED = 5
"""Parameters that the sentence of an error names."""


@dataclass(frozen=True)
class Alert:
    """An expected parameter that does not train."""

    parameter: int
    """Its place in the table."""
    name: str
    since_step: int
    state: str
    """``absent``, ``zero``, ``frozen`` …, or ``not in optimizer``."""
    cause: str | None = None
    """One of the causes of an explanation, once there is one."""
    detail: str | None = None

    def as_message(self) -> dict[str, Any]:
        """The alert as the wire protocol has it."""
        told = asdict(self)
        del told["state"]
        return told


class Expectations:
    """``attach(..., expect=["encoder.*", "head"])``: what matches must get a useful gradient.

    What a command froze or a gate withholds is somebody's wish, and no alert.
    """

    def __init__(self, patterns: Sequence[str], table: ParameterTable, *, strict: bool) -> None:
        """Raises :class:`TargetError` for a pattern that names nothing."""
        self.patterns = tuple(patterns)
        self.strict = strict
        self._table = table
        for pattern in self.patterns:
            resolve(pattern, table.names)
        self._missed: dict[int, tuple[int, int]] = {}
        """By parameter: samples in a row, and the step of the first."""
        self._states: dict[int, str] = {}
        self.alerts: list[Alert] = []

    def receive(
        self, sample: Sample, frozen: Collection[int], in_optimizer: Sequence[bool]
    ) -> bool:
        """Take in a sample; return whether a parameter has newly become an alert.

        ``frozen``: by command; ``in_optimizer``: by parameter.
        """
        if not self.patterns or sample.skipped:
            return False
        missed: dict[int, tuple[int, int]] = {}
        for index in self._expected(len(sample.states)):
            state = self._trouble(State(sample.states[index]), index, frozen, in_optimizer)
            if state is not None:
                times, since = self._missed.get(index, (0, sample.step))
                missed[index] = (times + 1, since)
                self._states[index] = state
        new = any(
            times >= PATIENCE and self._missed.get(index, (0, 0))[0] < PATIENCE
            for index, (times, _) in missed.items()
        )
        self._missed = missed
        return new

    def update_alerts(self, explanations: Mapping[str, Explanation]) -> bool:
        """Put the alerts together with their causes; return whether they changed."""
        before = self.alerts
        self.alerts = [
            self._alert(index, since, explanations)
            for index, (times, since) in self._missed.items()
            if times >= PATIENCE
        ]
        return self.alerts != before

    def failure(self, *, last: bool = False) -> ExpectationError | None:
        """The error that strict mode raises, if there is reason to.

        ``last``: the run ends, so a single sample is reason enough; else a cause must be known.
        """
        if not self.strict:
            return None
        if last:
            found = [self._alert(i, since, {}) for i, (_, since) in self._missed.items()]
            known = {alert.parameter: alert for alert in self.alerts}
            alerts = [known.get(alert.parameter, alert) for alert in found]
        else:
            alerts = [alert for alert in self.alerts if alert.cause is not None]
        if not alerts:
            return None
        told = "; ".join(_sentence(alert) for alert in alerts[:NAMED])
        more = f"; and {len(alerts) - NAMED} more" if len(alerts) > NAMED else ""
        one = len(alerts) == 1
        return ExpectationError(
            f"{len(alerts)} parameter{'' if one else 's'} of what attach() was told to expect "
            f"{'does' if one else 'do'} not train: {told}{more}"
        )

    def _expected(self, count: int) -> list[int]:
        removed = self._table.removed
        found = {i for pattern in self.patterns for i in self._resolve(pattern)}
        return sorted(i for i in found if i < count and i not in removed)

    def _resolve(self, pattern: str) -> list[int]:
        names = self._table.names
        return resolve(pattern, names) if _matches(pattern, names) else []

    def _trouble(
        self, state: State, index: int, frozen: Collection[int], in_optimizer: Sequence[bool]
    ) -> str | None:
        if state in MISSING or (state is State.FROZEN and index not in frozen):
            return state.word
        loose = state is State.PRESENT and any(in_optimizer) and not in_optimizer[index]
        return "not in optimizer" if loose else None

    def _alert(self, index: int, since: int, explanations: Mapping[str, Explanation]) -> Alert:
        name = self._table.name(index)
        found = explanations.get(name)
        cause, detail = (None, None) if found is None else (found.cause, found.detail)
        return Alert(index, name, since, self._states[index], cause, detail)


def _matches(pattern: str, names: Sequence[Sequence[str]]) -> bool:
    try:
        return bool(resolve(pattern, names))
    except ValueError:  # what it named has left the model
        return False


def _sentence(alert: Alert) -> str:
    if alert.detail is not None:
        return alert.detail.rstrip(".") + f" ({alert.cause})"
    return f"`{alert.name}` is {alert.state} since step {alert.since_step}"
