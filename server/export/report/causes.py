"""Explanations and alerts that say the same of several parameters, as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...protocol.alerts import Alert
from ...protocol.explanations import Explanation, Snippet
from .words import count, prose, visible

_NAMED = 40

Prose = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code."""

    number: int
    text: str
    meant: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some parameters have no useful gradient, or what is wrong with them, in words."""

    cause: str
    standing: str
    """`alert`, `note`, or `verdict` of a traced step."""
    names: list[str]
    more: int
    where: str | None
    detail: Prose
    advice: Prose
    file: str | None
    lines: list[Line]
    since: str

    @property
    def subject(self) -> str:
        """Return whom it is about."""
        total = len(self.names) + self.more
        return self.names[0] if total == 1 else count(total, "parameter")


def causes_of_explanations(explanations: Iterable[Explanation]) -> list[Cause]:
    """Return the verdicts of a traced step, those that differ in the name alone as one."""
    groups: dict[tuple[str | None, ...], list[Explanation]] = {}
    for each in explanations:
        same = (
            each.cause,
            each.where,
            _nameless(each.detail, each.name),
            _nameless(each.advice, each.name),
        )
        groups.setdefault(same, []).append(each)
    return [_verdict(group) for group in groups.values()]


def causes_of_alerts(alerts: Iterable[Alert]) -> list[Cause]:
    """Return what the job told unasked, those that differ in the name alone as one."""
    groups: dict[tuple[object, ...], list[Alert]] = {}
    for each in alerts:
        detail = _nameless(each.detail or "", each.name or "")
        same = (each.level, each.cause, each.where, detail, each.since_step, each.name is None)
        groups.setdefault(same, []).append(each)
    return [_told(group) for group in groups.values()]


def _nameless(text: str, name: str) -> str:
    return text.replace(name, "\0") if name else text


def _verdict(group: list[Explanation]) -> Cause:
    first = group[0]
    return Cause(
        cause=first.cause.replace("_", " "),
        standing="verdict",
        names=[visible(each.name) for each in group[:_NAMED]],
        more=max(0, len(group) - _NAMED),
        where=None if first.where is None else visible(first.where),
        detail=prose(first.detail),
        advice=prose(first.advice),
        file=None if first.source is None else visible(first.source.file),
        lines=[] if first.source is None else _lines(first.source),
        since="",
    )


def _told(group: list[Alert]) -> Cause:
    first = group[0]
    names = [visible(each.name) for each in group if each.name is not None]
    return Cause(
        cause="" if first.cause is None else first.cause.replace("_", " "),
        standing=first.level,
        names=names[:_NAMED] or ["the whole run"],
        more=max(0, len(names) - _NAMED),
        where=None if first.where is None else visible(first.where),
        detail=prose(first.detail or ""),
        advice=[],
        file=None,
        lines=[],
        since=f"since step {first.since_step:,}",
    )


def _lines(source: Snippet) -> list[Line]:
    return [
        Line(number, visible(text), number == source.line)
        for number, text in enumerate(source.lines, source.first)
    ]
