"""Alerts and notes in words, those that say the same of many parameters as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...protocol.alerts import Alert
from .alike import nameless, names_of

_INDENT = "    "


def alert_lines(alerts: Iterable[Alert]) -> Iterator[str]:
    """Yield what is told of each group of parameters, or of the whole run."""
    groups: dict[tuple[object, ...], list[Alert]] = {}
    for each in alerts:
        said = nameless(each.detail or "", each.name or "the whole run")
        key = (each.level, each.cause, each.where, each.since_step, said)
        groups.setdefault(key, []).append(each)
    for group in groups.values():
        yield from _lines(group[0], names_of([each.name or "the whole run" for each in group]))


def _lines(alert: Alert, subject: str) -> Iterator[str]:
    before = "Note: " if alert.level == "note" else ""
    place = f" at {alert.where}" if alert.where else ""
    cause = alert.cause or "not explained yet"
    yield f"{before}{subject}: {cause}{place}, since step {alert.since_step:,}"
    if alert.detail:
        yield f"{_INDENT}{alert.detail}"
