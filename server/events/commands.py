"""Commands: each that was asked for, applied, verified or not, and what drifted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..protocol.commands.registry import KINDS
from ..protocol.commands.state import CommandState
from ..protocol.events import EventKind
from ..protocol.fields import AlertLevel
from .detector import Detector
from .finding import NAMES, Finding
from .records import CommandRecord, Record

_TOLD = {
    CommandState.REQUESTED: "was requested by {by}",
    CommandState.APPLIED: "was applied",
    CommandState.VERIFIED: "was verified",
    CommandState.REJECTED: "was rejected",
    CommandState.SUPERSEDED: "was superseded",
}


class Commands(Detector):
    """A command that got as far as one of these states."""

    kind = "command"
    records = (CommandRecord,)
    bundled = False

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a command in a new state."""
        if isinstance(record, CommandRecord) and record.row.state in _TOLD:
            told = _TOLD[record.row.state].format(by=record.row.by)
            yield _finding("command", "note", record, told)


class Drift(Detector):
    """A command whose effect no longer holds."""

    kind = "drift"
    records = (CommandRecord,)
    bundled = False

    def find(self, record: Record) -> Iterator[Finding]:
        """Return the event of a command that drifted."""
        if isinstance(record, CommandRecord) and record.row.state is CommandState.DRIFTED:
            yield _finding("drift", "alert", record, "no longer holds")


def _finding(kind: EventKind, level: AlertLevel, record: CommandRecord, told: str) -> Finding:
    row = record.row
    reason = f": {row.reason.rstrip('.')}." if row.reason else "."
    of = f" It is of {NAMES}." if len(record.positions) else ""
    what = KINDS[row.kind].describe(row)
    return Finding(
        kind,
        level,
        record.time,
        record.step,
        f"Command {row.id}, {what}, {told} at step {record.step:,}{reason}{of}",
        {"command": row.id, "state": row.state.value, "kind": row.kind, "by": row.by},
        np.array(record.positions, np.intp),
    )
