"""What a check has found, as it is told: one record for each parameter and cause."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..base.source import Place, Snippet, snippet
from ..diagnosis.explanation import Explanation
from ..live.alerts import Alert

_COMMANDED = ("frozen_by_command", "gated")
"""Causes that are somebody's wish."""
Level = Literal["error", "note", "untrained"]
"""``error``: it is wrong, and fails the check; ``note``: worth knowing; ``untrained``: why a
parameter does not train of which nobody expects that."""


@dataclass(frozen=True)
class CheckFinding:
    """A cause, of a parameter or of the whole run."""

    level: Level
    cause: str | None
    """The id of its page in docs/causes; None where it is not known."""
    name: str | None
    """The parameter's; None: it is of the whole run."""
    since_step: int | None
    detail: str
    advice: str
    file: str | None
    """An absolute path, or None where it has no line."""
    line: int | None
    source: Snippet | None


def findings(
    alerts: Iterable[Alert],
    explanations: Mapping[str, Explanation],
    expected: Collection[str],
    name_of: Callable[[int], str],
    folders: Sequence[str],
) -> Iterator[CheckFinding]:
    """Put alerts together with their explanations, and add those that nobody was alerted of.

    ``expected``: parameters that ought to train, beside those that alerts are of; ``name_of``: of
    each by its place in the table; ``folders``: those that places may be relative to.
    """
    alerts = [each for alert in alerts for each in _one_by_one(alert, name_of)]
    of_run = {alert.cause for alert in alerts if alert.name is None}
    told: set[str | None] = set()
    for alert in alerts:
        if alert.name is not None and alert.cause is not None and alert.cause in of_run:
            told.add(alert.name)  # what is told of the whole run names its parameters
            continue
        why = explanations.get(alert.name or "")
        same = why is not None and why.cause == alert.cause
        if alert.level == "alert" or same:
            told.add(alert.name)
        yield CheckFinding(
            "error" if alert.level == "alert" else "note",
            alert.cause,
            alert.name,
            alert.since_step,
            why.detail if why is not None and same else _detail(alert),
            why.advice if why is not None and same else "",
            *_source(alert.where, folders),
        )
    for name, why in explanations.items():
        if name not in told:
            place = _source(why.where, folders)
            wrong = name in expected and why.cause not in _COMMANDED
            level: Level = "error" if wrong else "untrained"
            yield CheckFinding(level, why.cause, name, None, why.detail, why.advice, *place)


def _one_by_one(alert: Alert, name_of: Callable[[int], str]) -> Iterator[Alert]:
    """Yield an alert for each parameter that it is of."""
    yield alert
    for index in alert.others if alert.name is not None else ():
        yield replace(alert, parameter=index, name=name_of(index), others=())


def located(finding: CheckFinding, made_at: str | None, folders: Sequence[str]) -> CheckFinding:
    """Give what is in no optimizer the line where the optimizer was made: it was left out there."""
    if finding.cause != "not_in_optimizer" or finding.file is not None:
        return finding
    file, line, source = _source(made_at, folders)
    return replace(finding, file=file, line=line, source=source)


def _detail(alert: Alert) -> str:
    if alert.detail is not None:
        return alert.detail
    subject = "The run" if alert.name is None else f"`{alert.name}`"
    return f"{subject}: {alert.state}; no step was traced that would have shown why."


def _source(
    where: str | None, folders: Sequence[str]
) -> tuple[str | None, int | None, Snippet | None]:
    """Return the absolute file and the line of a place, and the source around it.

    Code that was made from a text, as dataclasses and templates do it, has no file.
    """
    file, _, line = (where or "").rpartition(":")
    if not file or not line.isdigit():
        return None, None, None
    paths = (os.path.join(folder, file) for folder in folders)
    found = next(filter(os.path.isfile, paths), None)
    if found is None:
        return None, None, None
    found = os.path.abspath(found)
    return found, int(line), snippet(Place(found, int(line), ""))
