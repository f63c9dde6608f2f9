"""What a batch of a run's frames changes in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, update

from ..events.records import AlertsRecord, GatesRecord, MetricsRecord, TotalsRecord
from ..protocol import limits
from ..protocol.frames import Sample
from ..protocol.gates import Gate
from ..protocol.probe_messages import (
    Alerts,
    Bye,
    Explanations,
    FrozenState,
    GatesState,
    Heartbeat,
    Metrics,
    Optimizers,
    Parameters,
    Report,
    Streamed,
)
from ..protocol.runs import RunStatus
from ..protocol.states import State, count_states
from ..protocol.totals import Totals
from .alerts import alert_rows, record_alerts
from .detection import Detection, Watched
from .explanations import record_explanations
from .guard import readable
from .ledger import command_state, record_report, reject_unapplied, resume_unapplied
from .metrics.values import append_metrics
from .optimizers import record_optimizers
from .parameter_table import save_table, table_summary
from .runs import locked_run
from .samples import append_samples
from .tables import runs

Frame = Sample | Streamed
# What says nothing of the step that the job is at.
_TIMELESS = (Parameters, FrozenState, GatesState, Alerts)


class Received(NamedTuple):
    """A frame, and when it was received."""

    frame: Frame
    at: float


_OVER = "The run {status} before the command was applied."


@dataclass(slots=True)
class Changes:
    """What a commit changed of one run, for those who watch it."""

    run: str
    last_seq: int
    topics: dict[str, set[int]] = field(default_factory=dict)
    """What pages are told of, by the names of `live.topics`, with the ids of what changed."""
    status: RunStatus | None = None
    """What became of the run's probe; None where nothing was heard of it."""
    given: list[int] = field(default_factory=list)
    """The commands that were asked for."""
    samples: tuple[int, int] | None = None
    """The number of the first sample that was appended, and how many were."""
    metrics: tuple[int, int] | None = None
    """The first and the last `seq` of what was logged."""
    events: list[int] = field(default_factory=list)
    """The ids of events that are new."""

    def add(self, topic: str, *ids: int) -> None:
        """Keep that something of a topic changed."""
        self.topics.setdefault(topic, set()).update(ids)

    def add_events(self, new: Sequence[int], grown: Sequence[int] = ()) -> None:
        """Keep that there are new events, and that others grew."""
        self.events += new
        if new or grown:
            self.add("events", *new, *grown)


def record(
    connection: Connection,
    run: str,
    received: Sequence[Received],
    detection: Detection | None = None,
) -> Changes:
    """Store the frames of one run, all of them and `last_seq` in the caller's transaction.

    Those that are stored already are left out: the job may have sent them to another server, since
    its connection to this one ended. So are the events stored that the others make; without
    `detection` the detectors come from the store.
    """
    row = locked_run(connection, run)
    changes = Changes(run, row.last_seq)
    received = [each for each in received if _is_new(each.frame, row.last_seq)]
    if not received:
        return changes
    detection = detection or Detection()
    watched = detection.begin(connection, row)
    before = now = RunStatus(row.status)
    # A goodbye that comes once more begins no run again.
    if not (before.ended and all(isinstance(frame, Bye) for frame, _ in received)):
        now = RunStatus.LIVE
    columns: dict[str, Any] = {
        "last_seen": received[-1].at,
        "status": now.value,
        "step": row.step,
    }
    watched.see_status(before, now, received[0].at, row.step)
    if row.status == RunStatus.LOST.value and (resumed := resume_unapplied(connection, run)):
        changes.add("commands", *resumed)
    samples = [frame for frame, _ in received if isinstance(frame, Sample)]
    logged = [frame for frame, _ in received if isinstance(frame, Metrics | Totals)]
    append_metrics(connection, run, logged)
    if logged:
        changes.metrics = logged[0].seq, logged[-1].seq
    for frame, at in received:
        _record_one(connection, row, frame, columns, changes, at, watched)
    if samples:
        append_samples(connection, run, row.samples, samples)
        columns.update(_sample_columns(row, samples, columns))
        changes.samples = row.samples, len(samples)
    changes.status = RunStatus(columns["status"])
    columns["last_seq"] = changes.last_seq
    stored = watched.store(connection)
    changes.add_events(stored.new, stored.grown)
    detection.end(watched, changes.last_seq)
    connection.execute(update(runs).where(runs.c.id == run).values(**columns))
    return changes


def _is_new(frame: Frame, last_seq: int) -> bool:
    return isinstance(frame, Heartbeat | Bye) or frame.seq > last_seq


def _record_one(
    connection: Connection,
    row: Row[Any],
    frame: Frame,
    columns: dict[str, Any],
    changes: Changes,
    at: float,
    watched: Watched,
) -> None:
    match frame:
        case Sample():
            watched.see_sample(frame)
            columns["sample_time"] = at
            columns["sample_step"] = frame.step
        case Parameters():
            save_table(connection, row.id, frame.table)
            columns["table_digest"] = frame.digest
            frozen = columns.get("frozen", row.frozen)
            held = {place for item in frozen for place in item["parameters"]}
            columns.update(table_summary(frame.table, held))
            changes.add("parameters")
        case FrozenState():
            columns["frozen"] = [item.model_dump() for item in frame.frozen]
            columns["frozen_seq"] = frame.seq
            if frame.trainable is not None:
                columns["trainable"] = frame.trainable
            changes.add("parameters")
        case GatesState():
            before = readable(
                columns.get("gates", row.gates),
                Gate.model_validate,
                lambda item: f"gate {item.get('id')} of run {row.id}",
            )
            watched.see(GatesRecord(before, frame.gates, at, columns["step"]))
            columns["gates"] = [item.model_dump() for item in frame.gates]
            changes.add("gates")
        case Explanations():
            if record_explanations(connection, row.id, frame, at):
                changes.add("explanations")
        case Alerts():
            told = alert_rows(connection, row.id)
            now = frame.alerts[: limits.ALERTS]
            watched.see(AlertsRecord(told, now, at, columns["step"]))
            record_alerts(connection, row.id, frame)
            columns["alerts"] = sum(each.level == "alert" for each in frame.alerts)
            changes.add("alerts")
        case Optimizers():
            record_optimizers(connection, row.id, frame)
            changes.add("optimizers")
        case Report():
            known = command_state(connection, row.id, frame)
            number = record_report(connection, row.id, frame)
            if number is not None:
                changes.add("commands", number)
                if known is not frame.state:
                    watched.see_command(connection, number, frame.time, columns["step"])
        case Metrics():
            watched.see(MetricsRecord(frame))
        case Totals():
            watched.see(TotalsRecord(frame))
        case Heartbeat():
            columns.update(frame.model_dump(exclude={"type", "time", "step"}))
        case Bye():
            earlier, columns["status"] = RunStatus(columns["status"]), frame.status.value
            over = _OVER.format(status=frame.status.value)
            if rejected := reject_unapplied(connection, row.id, over, at):
                changes.add("commands", *rejected)
            for number in rejected:
                watched.see_command(connection, number, at, columns["step"])
            watched.see_status(earlier, frame.status, at, frame.step)
    if not isinstance(frame, _TIMELESS) and frame.step is not None:
        columns["step"] = max(columns["step"], frame.step)
    if not isinstance(frame, Heartbeat | Bye):
        changes.last_seq = max(changes.last_seq, frame.seq)


def _sample_columns(
    row: Row[Any], samples: Sequence[Sample], columns: dict[str, Any]
) -> dict[str, Any]:
    latest = samples[-1]
    states = count_states(latest.states)
    of_sample = columns.get("parameters", row.parameters) - states.get(State.FROZEN.label, 0)
    # What commands have changed since the sample is told later than it.
    changed_since = columns.get("frozen_seq", row.frozen_seq) > latest.seq
    told = columns.get("trainable")
    return {
        "samples": row.samples + len(samples),
        "sample_seq": latest.seq,
        "states": states,
        "trainable": told if changed_since and told is not None else of_sample,
    }
