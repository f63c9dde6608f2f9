"""Alerts: what a run tells unasked, of a parameter or of the whole run, and a strict job's end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from ..base.errors import ExpectationError
from ..base.guard import Guard
from ..base.wire_text import LONGEST_NAME, wire_name, wire_text
from ..diagnosis.case import Finding
from ..diagnosis.explanation import Explanation

Level = Literal["alert", "note"]
"""An alert says that something is wrong, and fails a strict job; a note is worth knowing."""
NAMED = 5
"""Sentences that an error has."""
LISTED = 20
"""Parameters that are listed to a sentence that holds for many."""


@dataclass(frozen=True)
class Alert:
    """What a run tells unasked: of a parameter, or of the whole run."""

    parameter: int | None
    """Its place in the table; None: it is of the whole run."""
    name: str | None
    """The parameter's; None: it is of the whole run."""
    since_step: int
    state: str = ""
    """What is wrong, in a word that stands where no cause is known: ``absent``, ``frozen`` …"""
    cause: str | None = None
    """A word of an explanation's, or of the source that found it; None: not known yet."""
    detail: str | None = None
    where: str | None = None
    """``path/to/file.py:41``, or None where it has no line."""
    level: Level = "alert"
    others: tuple[int, ...] = ()
    """Further parameters of which the same is told, by their places in the table."""
    tentative: bool = False
    """It may be meant, and go by itself: it fails a strict run only at its end."""

    def as_message(self) -> dict[str, Any]:
        """Return the alert as the wire protocol has it."""
        told = asdict(self)
        del told["state"], told["tentative"]
        if self.name is not None:
            told["name"] = wire_name(self.name, LONGEST_NAME)
        if self.detail is not None:
            told["detail"] = wire_text(self.detail)
        return told


def alert_of(
    found: Finding,
    parameter: int | None,
    name: str | None,
    since_step: int,
    level: Level = "alert",
) -> Alert:
    """Make an alert of a finding, with what it advises: nobody may ever ask for an explanation."""
    return Alert(
        parameter,
        name,
        since_step,
        cause=found.cause,
        detail=f"{found.detail} {found.advice}",
        where=None if found.place is None else found.place.text,
        level=level,
    )


class AlertSource(Protocol):
    """Knows of one kind of things that are told unasked."""

    def find(self, *, last: bool) -> Iterable[Alert]:
        """Return all that is to be told now.

        An alert without a cause gets that of the parameter's explanation, once there is one.
        ``last``: the run ends well, and no more will come to be sure by.
        """


class Alerts:
    """Gathers what every source tells, puts it together with its causes, and sends changes."""

    def __init__(
        self, send: Callable[[list[dict[str, Any]]], None], guard: Guard, *, strict: bool
    ) -> None:
        """``strict``: an alert fails the job, as soon as its cause is known."""
        self.strict = strict
        self._send = send
        self._guard = guard
        self._sources: list[AlertSource] = []
        self._explanations: Mapping[str, Explanation] = {}
        self._explained_step = 0
        self.current: list[Alert] = []
        """Those of the whole run first, and notes behind all alerts."""
        self._failure: ExpectationError | None = None

    def add_source(self, source: AlertSource) -> None:
        """Ask ``source`` too, from now on."""
        self._sources.append(source)

    def remove_source(self, source: AlertSource) -> None:
        """Ask ``source`` no more."""
        self._sources = [other for other in self._sources if other is not source]

    def of_level(self, level: Level) -> list[Alert]:
        """Return the alerts, or the notes, that there are now."""
        return [alert for alert in self.current if alert.level == level]

    def at_end(self) -> list[Alert]:
        """Return what there is to tell if nothing more comes: one sample is reason enough then."""
        return self._explained(self._find(last=True))

    def update(self) -> None:
        """Ask every source anew, and send what is told if it has changed."""
        found = self._find(last=False)
        before, self.current = self.current, self._explained(found)
        if self.current != before:
            self._send([alert.as_message() for alert in self.current])
        # A cause that was explained is that of an earlier step: the step to come is traced.
        self._fail(_sure(found))

    def explain(self, explanations: Mapping[str, Explanation], step: int) -> None:
        """Take in what a traced step has shown, which may be the causes that were missing."""
        self._explanations, self._explained_step = explanations, step
        self.update()
        self._fail(_sure(self.current))

    def raise_failure(self, *, last: bool = False) -> None:
        """Raise :class:`ExpectationError`, once, if the run is strict and there is reason to.

        ``last``: the run ends well, so a cause is waited for no longer.
        """
        if last and self._failure is None:
            self._fail(self.at_end())
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _find(self, *, last: bool) -> list[Alert]:
        found: list[Alert] = []
        for source in self._sources:
            with self._guard:  # one by one: a fault in one must not hide what others tell
                found += source.find(last=last)
        return sorted(found, key=lambda alert: (alert.level, alert.parameter is not None))

    def _explained(self, found: Iterable[Alert]) -> list[Alert]:
        return [self._with_cause(alert) for alert in found]

    def _with_cause(self, alert: Alert) -> Alert:
        why = self._explanations.get(alert.name or "")
        if alert.cause is not None or why is None or self._explained_step < alert.since_step:
            return alert
        return replace(alert, cause=why.cause, detail=why.detail, where=why.where)

    def _fail(self, alerts: Iterable[Alert]) -> None:
        grave = [alert for alert in alerts if alert.level == "alert"]
        if self.strict and grave:
            self._failure = _error(grave)


def _sure(alerts: Iterable[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.cause is not None and not alert.tentative]


def _error(alerts: list[Alert]) -> ExpectationError:
    alike: dict[tuple[str | None, str], list[Alert]] = {}
    for alert in alerts:
        alike.setdefault((alert.cause, _pattern(alert)), []).append(alert)
    groups = list(alike.values())
    told = "; ".join(_sentence(group) for group in groups[:NAMED])
    rest = sum(len(group) for group in groups[NAMED:])
    more = f"; and {rest} more" if rest else ""
    number = "is 1 alert" if len(alerts) == 1 else f"are {len(alerts)} alerts"
    return ExpectationError(f"The run is strict, and there {number}: {told}{more}")


def _pattern(alert: Alert) -> str:
    """Return what an alert says, but of which parameter: that is what is named last."""
    said = _said(alert)
    before, name, after = said.rpartition(f"`{alert.name}`")
    return f"{before}\0{after}" if name else said


def _said(alert: Alert) -> str:
    if alert.detail is not None:
        return alert.detail.rstrip(".")
    subject = "the run" if alert.name is None else f"`{alert.name}`"
    return f"{subject} is {alert.state} since step {alert.since_step}"


def _sentence(alike: list[Alert]) -> str:
    """Say once what holds for several parameters."""
    first, *others = alike
    said = _said(first) if first.detail is None else f"{_said(first)} ({first.cause})"
    if not others:
        return said
    names = ", ".join(f"`{alert.name}`" for alert in others[:LISTED])
    more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
    return f"{said}, and the same holds for {names}{more}"
