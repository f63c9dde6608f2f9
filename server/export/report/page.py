"""All that a report says, gathered from the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from ...protocol.commands.registry import KINDS
from ...protocol.commands.row import CommandRow
from ...protocol.commands.state import CommandState
from ...protocol.events import EventRow
from ...protocol.gates import GateRow, action_text
from ...protocol.parameters import ParameterRow
from ...protocol.run_names import numbered
from ...protocol.runs import RunRow
from ...protocol.states import State
from ...protocol.statistics import Statistic
from ...protocol.version import VERSION
from ...store.alerts import alert_rows
from ...store.database import Store
from ...store.events import event_rows
from ...store.explanations import explanation_rows
from ...store.gates import gate_rows
from ...store.heatmaps.heatmap import read_heatmap
from ...store.ledger import command_rows
from ...store.levels.cover import Range
from ...store.parameters import parameter_rows
from ...store.runs import run_row
from ..selection import Selection
from .base import Fact, Look, ReportBase
from .causes import Cause, Prose, causes_of_alerts, causes_of_explanations
from .charts import Charts, draw_metrics
from .heatmap import Drawing, draw
from .marks import MARKS, Mark
from .words import count, moment, number, prose, visible

COLUMNS, ROWS = 160, 72
"""Of the heat map, at most."""
PARAMETERS = 1000
COMMANDS = 500
EVENTS = 500
"""Rows of a report, at most; all of them are in the tables of an export."""

_APPLIED = (CommandState.APPLIED.value, CommandState.VERIFIED.value, CommandState.DRIFTED.value)


@dataclass(frozen=True, slots=True)
class Count:
    """How many parameters have a state in the latest sample."""

    mark: Mark
    count: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A step at which a command took effect."""

    step: int
    text: str
    gates: bool


@dataclass(frozen=True, slots=True)
class EventLine:
    """Something that happened, in words."""

    kind: str
    level: str
    steps: str
    sentence: Prose
    dismissed: bool


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command in words."""

    number: int
    text: str
    by: str
    asked: str
    state: str
    standing: str
    at: str
    parameters: str
    why: str


@dataclass(frozen=True, slots=True)
class GateLine:
    """A gate in words."""

    number: int
    site: str
    action: str
    when: str
    now: str
    share: str
    norm_in: str
    norm_out: str
    problem: str


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """A parameter in words."""

    name: str
    mark: Mark
    shape: str
    numbers: str
    norm: str
    ratio: str
    weight: str
    frozen: str
    cause: str


@dataclass(frozen=True)
class ReportPage(ReportBase):
    """The report of a run."""

    template: ClassVar[str] = "report.html"
    run_id: str
    run_name: str
    status: str
    scope: str
    tags: list[str]
    notes: str
    counts: list[Count]
    figures: str
    alerts: list[Cause]
    verdicts: list[Cause]
    traced: str
    heatmap: Drawing | None
    marks: list[Mark]
    effects: list[Effect]
    charts: Charts
    events: list[EventLine]
    more_events: bool
    commands: list[CommandLine]
    more_commands: int
    gates: list[GateLine]
    parameters: list[ParameterLine]
    more_parameters: int


def report_page(store: Store, chosen: Selection, look: Look) -> ReportPage:
    """Gather the report of a selection."""
    with store.read() as connection:
        run = run_row(connection, chosen.run)
        places = set(chosen.places)
        known = parameter_rows(connection, chosen.run)
        parameters = [row for row in known if row.index in places]
        commands = command_rows(connection, chosen.run, COMMANDS + 1)
        gates = gate_rows(connection, chosen.run)
        events = event_rows(
            connection,
            chosen.run,
            limit=EVENTS + 1,
            first_step=chosen.first_step,
            last_step=chosen.last_step,
        )
        explained = explanation_rows(connection, chosen.run, chosen.match)
        alerts = alert_rows(connection, chosen.run)
        steps = Range(chosen.first_step, chosen.last_step)
        norm = Statistic.GRAD_NORM
        heatmap = read_heatmap(
            connection, chosen.run, chosen.match, norm, "max", steps, COLUMNS, ROWS
        )
    told = [each for each in alerts if chosen.match is None or each.parameter in places]
    shown = [row for row in parameters if not row.removed]
    return ReportPage(
        version=VERSION,
        made=moment(time.time()),
        look=look,
        run_id=run.id,
        run_name=visible(numbered(run)),
        status=run.status.value,
        scope=_scope(chosen, len(shown)),
        tags=[visible(tag) for tag in run.tags],
        notes=visible(run.notes),
        facts=_facts(run),
        counts=_counts(shown),
        figures=visible(run.figures),
        alerts=causes_of_alerts(told),
        verdicts=causes_of_explanations(explained.explanations),
        traced="" if explained.step is None else f"as of step {explained.step:,}",
        heatmap=draw(heatmap) if heatmap.values.size else None,
        marks=list(MARKS.values()),
        effects=[each for row in commands if (each := _effect(row)) and chosen.has_step(each.step)],
        charts=draw_metrics(store, chosen),
        events=[_event(row) for row in events[:EVENTS]],
        more_events=len(events) > EVENTS,
        commands=[_command(row) for row in commands[:COMMANDS]],
        more_commands=max(0, len(commands) - COMMANDS),
        gates=[_gate(row) for row in gates],
        parameters=[_parameter(row) for row in shown[:PARAMETERS]],
        more_parameters=max(0, len(shown) - PARAMETERS),
    )


def _scope(chosen: Selection, parameters: int) -> str:
    """Say which part of the run this is, nothing when it is all of it."""
    parts = []
    if chosen.match is not None:
        parts.append(f"{count(parameters, 'parameter')} of {visible(chosen.match)}")
    if chosen.first_step is not None:
        parts.append(f"from step {chosen.first_step:,}")
    if chosen.last_step is not None:
        parts.append(f"to step {chosen.last_step:,}")
    return f"Only {', '.join(parts)}." if parts else ""


def _facts(run: RunRow) -> list[Fact]:
    facts = [
        Fact("Step", f"{run.step:,}"),
        Fact("Samples", f"{run.samples:,}"),
        Fact("Trainable", f"{run.trainable:,} of {count(run.parameters, 'parameter')}"),
        Fact("Numbers", f"{run.numel:,}"),
        Fact("Job", f"{visible(run.host)}, process {run.pid}"),
        Fact("torch", visible(run.torch_version)),
        Fact("Started", moment(run.started)),
        Fact("Last heard of", moment(run.last_seen)),
    ]
    if run.ranks > 1:
        facts.append(Fact("Ranks", f"{run.ranks:,}"))
    if run.cost is not None:
        facts.append(Fact("Probe", f"{number(100 * run.cost)} % of the step time"))
    return facts


def _counts(rows: list[ParameterRow]) -> list[Count]:
    found = dict.fromkeys((state.label for state in MARKS), 0)
    for row in rows:
        found[row.state] += 1
    return [Count(mark, f"{found[mark.name]:,}") for mark in MARKS.values() if found[mark.name]]


def _effect(row: CommandRow) -> Effect | None:
    """Return where a command took effect; one that only asked changed nothing."""
    if row.step is None or row.kind == "explain":
        return None
    if not any(state in row.times for state in _APPLIED):
        return None
    return Effect(row.step, visible(KINDS[row.kind].describe(row)), row.gate is not None)


def _event(row: EventRow) -> EventLine:
    until = "" if row.last_step == row.step else f" to {row.last_step:,}"
    return EventLine(
        kind=row.kind.replace("_", " "),
        level=row.level,
        steps=f"{row.step:,}{until}",
        sentence=prose(row.sentence),
        dismissed=row.dismissed is not None,
    )


def _command(row: CommandRow) -> CommandLine:
    done = row.state is KINDS[row.kind].done
    failed = row.state in (CommandState.REJECTED, CommandState.DRIFTED)
    return CommandLine(
        number=row.id,
        text=visible(KINDS[row.kind].describe(row)),
        by=visible(row.by),
        asked=moment(row.requested),
        state=row.state.value,
        standing="done" if done else "bad" if failed else "",
        at="" if row.step is None else f"at step {row.step:,}",
        parameters=f"{row.count:,}" if row.count else "",
        why=visible(row.reason or row.detail or ""),
    )


def _gate(row: GateRow) -> GateLine:
    share = f"{100 * row.closed_steps / row.steps:.3g} % of {row.steps:,}" if row.steps else ""
    return GateLine(
        number=row.id,
        site=visible(row.site),
        action=action_text(row),
        when=visible(row.when),
        now="paused" if row.paused else "closed" if row.closed else "open",
        share=share,
        norm_in=number(row.norm_in),
        norm_out=number(row.norm_out),
        problem=visible(row.problem or ""),
    )


def _parameter(row: ParameterRow) -> ParameterLine:
    # The traced step may be long past.
    trains = row.state == State.PRESENT.label
    frozen = ""
    if row.frozen is not None:
        since = "" if row.frozen.since_step is None else f" since step {row.frozen.since_step:,}"
        frozen = f"by {visible(row.frozen.by)}{since}"
    return ParameterLine(
        name=visible(row.name),
        mark=MARKS[State[row.state.upper()]],
        shape=" × ".join(map(str, row.shape)) or "scalar",
        numbers=f"{row.numel:,}",
        norm=number(row.grad_norm),
        ratio=number(row.update_ratio),
        weight=number(row.weight_norm),
        frozen=frozen,
        cause="" if row.cause is None or trains else row.cause.replace("_", " "),
    )
