"""Gates: each that closed or opened."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..protocol.gates import Gate, action_text
from .detector import Detector
from .finding import NAMES, NOBODY, Finding
from .records import GatesRecord, Record


class Gates(Detector):
    """A gate that closed, opened, or did both since the job last told of it."""

    kind = "gate"
    records = (GatesRecord,)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return an event for each gate that changed."""
        if not isinstance(record, GatesRecord):
            return
        before = {gate.id: gate for gate in record.before}
        for gate in record.now:
            if told := _told(before.pop(gate.id, None), gate):
                yield _finding(record, gate, told)
        for gate in before.values():
            if gate.closed:
                yield _finding(record, gate, "was removed, and so opened")


def _told(before: Gate | None, now: Gate) -> str | None:
    was_closed = before is not None and before.closed
    if now.closed != was_closed:
        return "closed" if now.closed else "opened"
    more = now.closed_steps - (0 if before is None else before.closed_steps)
    if more > 0 and not now.closed:
        return f"closed for {more:,} {'step' if more == 1 else 'steps'}, and opened again"
    return None


def _finding(record: GatesRecord, gate: Gate, told: str) -> Finding:
    closed = gate.closed and told == "closed"
    of = f"; it keeps the gradient of {NAMES} away" if closed and gate.parameters else ""
    what = f"Gate {gate.id} ({action_text(gate)} at {gate.site} when {gate.when})"
    return Finding(
        "gate",
        "note",
        record.time,
        record.step,
        f"{what} {told}, told at step {record.step:,}{of}.",
        {
            "gate": gate.id,
            "closed": closed,
            "closed_steps": gate.closed_steps,
            "steps": gate.steps,
            "norm_in": gate.norm_in,
            "norm_out": gate.norm_out,
        },
        np.array(gate.parameters, np.intp) if closed else NOBODY,
    )
