"""The report of a check as a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...protocol.check import CheckedParameter, CheckReport
from ...protocol.states import State
from ...protocol.version import VERSION
from ..report.base import Fact, Look, ReportBase
from ..report.causes import Cause, Line
from ..report.marks import MARKS, Mark
from ..report.words import count, moment, prose, visible
from .groups import Group, grouped
from .verdict import CheckExit, exit_of, verdict

PARAMETERS = 1000
"""Rows of a page, at most."""
_NAMED = 40
_STANDINGS = {"error": "alert", "note": "note", "untrained": "verdict"}


@dataclass(frozen=True, slots=True)
class Section:
    """Findings of one kind."""

    key: str
    title: str
    note: str
    causes: list[Cause]


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """What became of a parameter, in words."""

    name: str
    mark: Mark
    weights: str
    optimizer: str
    numbers: str


@dataclass(frozen=True)
class CheckPage(ReportBase):
    """The report of a check."""

    template: ClassVar[str] = "check.html"
    title: str
    fails: bool
    verdict: list[tuple[str, bool]]
    errors: list[Cause]
    sections: list[Section]
    parameters: list[ParameterLine]
    more_parameters: int


def check_page(report: CheckReport, look: Look) -> CheckPage:
    """Put a report into the words of its page."""
    groups = grouped(report.findings)
    new = [each for each in groups if each.first.level == "error" and not each.accepted]
    accepted = [each for each in groups if each.accepted]
    notes = [each for each in groups if each.first.level == "note"]
    rest = [each for each in groups if each.first.level == "untrained"]
    return CheckPage(
        version=VERSION,
        made=moment(report.started),
        look=look,
        title=visible(report.script),
        fails=exit_of(report) is not CheckExit.WELL,
        verdict=prose(verdict(report)),
        facts=_facts(report),
        errors=_causes(new, report),
        sections=[
            Section("notes", "Worth knowing", "fails nothing", _causes(notes, report)),
            Section("accepted", "Accepted", "by the baseline", _causes(accepted, report)),
            Section(
                "untrained",
                "Does not train",
                "and nobody expects that it does",
                _causes(rest, report),
            ),
        ],
        parameters=[_parameter(each) for each in report.parameters[:PARAMETERS]],
        more_parameters=max(0, len(report.parameters) - PARAMETERS),
    )


def _facts(report: CheckReport) -> list[Fact]:
    total = sum(each.numbers for each in report.parameters)
    trained = [each for each in report.parameters if each.trains]
    numbers = sum(each.numbers for each in trained)
    models = [f"{each.name} ({each.kind})" if each.name else each.kind for each in report.models]
    processes = [
        each.name if each.steps is not None else f"{each.name} (not checked)"
        for each in report.processes
    ]
    loose = f"{count(report.loose, 'tensor')} of no watched module"
    command = " ".join([report.script, *report.arguments])
    return [
        Fact("Script", visible(command)),
        Fact("Steps", f"{report.steps:,}"),
        Fact("Models", visible(", ".join(models)) or "–"),
        Fact("Optimizers", visible(", ".join(dict.fromkeys(report.optimizers))) or "–"),
        *([Fact("Processes", visible(", ".join(processes)))] if processes else []),
        Fact("Trains", f"{len(trained):,} of {count(len(report.parameters), 'parameter')}"),
        Fact("Numbers", f"{numbers:,} of {total:,} ({numbers / max(total, 1):.1%})"),
        *([Fact("Not checked", loose)] if report.loose else []),
        Fact("torch", visible(report.torch)),
        Fact("Took", f"{report.seconds:.1f} s"),
    ]


def _causes(groups: list[Group], report: CheckReport) -> list[Cause]:
    return [_cause(group, report.folder) for group in groups]


def _cause(group: Group, folder: str) -> Cause:
    first = group.first
    where = group.where(folder)
    names = [visible(name) for name in group.names]
    lines = [] if first.source is None else list(enumerate(first.source.lines, first.source.first))
    return Cause(
        cause=(first.cause or "unknown").replace("_", " "),
        standing=_STANDINGS[first.level],
        names=names[:_NAMED] or ["the whole run"],
        more=max(0, len(names) - _NAMED),
        where=None if where is None else visible(where),
        detail=prose(first.detail),
        advice=prose(first.advice),
        file=None if where is None else visible(where),
        lines=[Line(number, visible(text), number == first.line) for number, text in lines],
        since=visible(group.inside.strip()),
    )


def _parameter(row: CheckedParameter) -> ParameterLine:
    moved = {True: "moved", False: "did not move", None: "not readable"}[row.moved]
    return ParameterLine(
        name=visible(row.name),
        mark=_mark(row.state),
        weights=moved,
        optimizer="" if row.in_optimizer else "in none",
        numbers=f"{row.numbers:,}",
    )


def _mark(state: str) -> Mark:
    known = {mark.name: mark for mark in MARKS.values()}
    return known.get(state, MARKS[State.UNMEASURED])
