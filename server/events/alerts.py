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
        yield from _groups(record, _without(record.now, record.before), begun=True)
        yield from _groups(record, _without(record.before, record.now), begun=False)


def _without(alerts: Sequence[Alert], others: Sequence[Alert]) -> list[Alert]:
    known = {_identity(each) for each in others}
    return [each for each in alerts if _identity(each) not in known]


def _identity(alert: Alert) -> tuple[object, ...]:
    # The cause of a parameter's alert is often told later than the alert itself.
    cause = alert.cause if alert.parameter is None else None
    return (alert.level, alert.parameter, alert.name, alert.since_step, cause)


def _groups(record: AlertsRecord, alerts: Sequence[Alert], *, begun: bool) -> Iterator[Finding]:
    groups: dict[tuple[AlertLevel, str | None, int], list[Alert]] = {}
    for each in alerts:
        groups.setdefault((each.level, each.cause, each.since_step), []).append(each)
    for (level, cause, since), group in groups.items():
        places = [each.parameter for each in group if each.parameter is not None]
        of = f" of {NAMES}" if places else ""
        word = level.capitalize()
        why = (cause or "not explained yet").replace("_", " ")
        if begun:
            sentence = f"{word}{of}: {why}, since step {since:,}."
            if group[0].detail and len(group) == 1:
                sentence += f" {group[0].detail}"
        else:
            sentence = f"{word}{of} ended at step {record.step:,}: {why}, from step {since:,}."
        yield Finding(
            "alert",
            level if begun else "note",
            record.time,
            since if begun else record.step,
            sentence,
            {"cause": cause, "begun": begun, "since_step": since, "where": group[0].where},
            np.array(places, np.intp),
            record.step,
        )
