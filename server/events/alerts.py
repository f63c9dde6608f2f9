"""Alerts of the job itself: each that began or ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..protocol.alerts import Alert
from ..protocol.fields import AlertLevel
from .detector import Detector
from .finding import NAMES, Finding
from .records import AlertsRecord, Record


class Alerts(Detector):
    """Alerts and notes that the job tells now and did not before, and those that it told before.

    Those of one cause and one step are one event.
    """

    kind = "alert"
    records = (AlertsRecord,)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return an event for each group of alerts that began or ended."""
        if not isinstance(record, AlertsRecord):
            return
        now, before = list(_places(record.now)), list(_places(record.before))
        yield from _groups(record, _without(now, before), begun=True)
        yield from _groups(record, _without(before, now), begun=False)


_Told = tuple[Alert, int | None]
"""An alert, and the place of a parameter of which it is told; None where it is of the whole run."""


def _places(alerts: Sequence[Alert]) -> Iterator[_Told]:
    return ((each, place) for each in alerts for place in (each.parameter, *each.others))


def _without(told: Sequence[_Told], others: Sequence[_Told]) -> list[_Told]:
    known = {_identity(*each) for each in others}
    return [each for each in told if _identity(*each) not in known]


def _identity(alert: Alert, place: int | None) -> tuple[object, ...]:
    # The cause of a parameter's alert is often told later than the alert itself.
    cause = alert.cause if place is None else None
    return (alert.level, place, alert.since_step, cause)


def _groups(record: AlertsRecord, told: Sequence[_Told], *, begun: bool) -> Iterator[Finding]:
    groups: dict[tuple[AlertLevel, str | None, int], list[_Told]] = {}
    for alert, place in told:
        groups.setdefault((alert.level, alert.cause, alert.since_step), []).append((alert, place))
    for (level, cause, since), group in groups.items():
        first = group[0][0]
        places = [place for _, place in group if place is not None]
        of = f" of {NAMES}" if places else ""
        word = level.capitalize()
        why = (cause or "not explained yet").replace("_", " ")
        if begun:
            sentence = f"{word}{of}: {why}, since step {since:,}."
            if first.detail and all(alert is first for alert, _ in group):
                sentence += f" {first.detail}"
        else:
            sentence = f"{word}{of} ended at step {record.step:,}: {why}, from step {since:,}."
        yield Finding(
            "alert",
            level if begun else "note",
            record.time,
            since if begun else record.step,
            sentence,
            {"cause": cause, "begun": begun, "since_step": since, "where": first.where},
            np.array(places, np.intp),
            record.step,
        )
