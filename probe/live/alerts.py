"""Alerts: expected parameters that do not train, with their causes, and a strict job's failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..base.errors import ExpectationError
from ..base.guard import Guard
from ..diagnosis.explanation import Explanation
from ..model.table import ParameterTable
from .expectations import Expectations

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
        """Return the alert as the wire protocol has it."""
        told = asdict(self)
        del told["state"]
        return told


class Alerts:
    """Puts broken expectations together with their causes, and sends them when they change."""

    def __init__(
        self,
        expectations: Expectations,
        table: ParameterTable,
        send: Callable[[list[dict[str, Any]]], None],
        guard: Guard,
    ) -> None:
        self._expectations = expectations
        self._table = table
        self._send = send
        self._guard = guard
        self.current: list[Alert] = []
        self._failure: ExpectationError | None = None

    def update(self, explanations: Mapping[str, Explanation]) -> None:
        """Make the alerts anew, and send them if they have changed."""
        before = self.current
        self.current = self._made(self._expectations.broken, explanations)
        if self.current != before:
            self._send([alert.as_message() for alert in self.current])

    def fail(self) -> None:
        """Let the strict job fail if an alert has its cause by now."""
        if self._expectations.strict:
            self._failure = _error([alert for alert in self.current if alert.cause is not None])

    def raise_failure(self, *, last: bool = False) -> None:
        """Raise :class:`ExpectationError`, once, if the run is strict and there is reason to.

        ``last``: the run ends well, so a single sample is reason enough.
        """
        failure, self._failure = self._failure, None
        if failure is None and last and self._expectations.strict:
            known = {alert.parameter: alert for alert in self.current}
            missed = self._made(self._expectations.missed, {})
            failure = _error([known.get(alert.parameter, alert) for alert in missed])
        if failure is not None:
            raise failure

    def _made(self, indexes: Iterable[int], explanations: Mapping[str, Explanation]) -> list[Alert]:
        made = []
        for index in indexes:
            with self._guard:  # one by one: a fault in one must not hide the others
                made.append(self._alert(index, explanations))
        return made

    def _alert(self, index: int, explanations: Mapping[str, Explanation]) -> Alert:
        name = self._table.name(index)
        missed = self._expectations.missed[index]
        found = explanations.get(name)
        cause, detail = (None, None) if found is None else (found.cause, found.detail)
        return Alert(index, name, missed.since_step, missed.state, cause, detail)


def _error(alerts: list[Alert]) -> ExpectationError | None:
    if not alerts:
        return None
    told = "; ".join(_sentence(alert) for alert in alerts[:NAMED])
    more = f"; and {len(alerts) - NAMED} more" if len(alerts) > NAMED else ""
    one = len(alerts) == 1
    return ExpectationError(
        f"{len(alerts)} parameter{'' if one else 's'} of what attach() was told to expect "
        f"{'does' if one else 'do'} not train: {told}{more}"
    )


def _sentence(alert: Alert) -> str:
    if alert.detail is not None:
        return alert.detail.rstrip(".") + f" ({alert.cause})"
    return f"`{alert.name}` is {alert.state} since step {alert.since_step}"
