"""The run itself: it began, finished, failed, was lost, or is heard of again."""

from __future__ import annotations

from collections.abc import Iterable

from ..protocol.runs import RunStatus
from .detector import Detector
from .finding import Finding
from .records import Record, RunRecord


class Runs(Detector):
    """A change of a run's status."""

    kind = "run"
    records = (RunRecord,)
    bundled = False

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a status that is another now."""
        if not isinstance(record, RunRecord) or record.before is record.now:
            return
        told = _BEGAN if record.before is None else _TOLD[record.now]
        yield Finding(
            self.kind,
            "alert" if record.now in (RunStatus.FAILED, RunStatus.LOST) else "note",
            record.time,
            record.step,
            told.format(step=f"{record.step:,}"),
            {"status": record.now.value, "before": record.before and record.before.value},
        )


_BEGAN = "The run began at step {step}."
_TOLD = {
    RunStatus.LIVE: "The job is heard of again, at step {step}.",
    RunStatus.FINISHED: "The run finished after step {step}.",
    RunStatus.FAILED: "The run failed after step {step}: training raised, or the script said so.",
    RunStatus.LOST: "Nothing is heard of the job any more, since step {step}: it may have ended "
    "without a word, hang, or be cut off from the network.",
}
