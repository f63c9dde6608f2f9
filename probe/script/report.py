"""The report of a check, as one record that goes to the command line as JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from .check import Check, ParameterVerdict
from .children import ProcessRecord
from .ending import Ending, Outcome
from .findings import CheckFinding
from .program import Program
from .watch import Watch


@dataclass(frozen=True)
class ModelRecord:
    """A model that was watched."""

    name: str
    kind: str


@dataclass(frozen=True)
class CheckReport:
    """Everything that a check says."""

    process: str
    """Its name; "" for that of the script itself."""
    script: str
    file: str
    """The absolute path of what was run."""
    arguments: Sequence[str]
    folder: str
    """The working directory: places in it are told relative to it."""
    started: float
    seconds: float
    torch: str
    outcome: Outcome
    script_exit_code: int
    """Of a script that exited."""
    error: str | None
    """What the script raised, or said as it exited, in one line."""
    problem: str | None
    """Why what was found could not be watched, or not with these expectations."""
    misused: bool
    """That is so since an expectation names nothing."""
    lack: str | None
    """Why nothing was found."""
    steps_wanted: int
    steps: int
    never_steps: bool
    """Forwards went by, and no step: it was stopped for that."""
    limit: float
    timed_out: bool
    """No step was made for ``limit`` seconds: it was stopped for that."""
    models: Sequence[ModelRecord]
    optimizers: Sequence[str]
    processes: Sequence[ProcessRecord]
    """Those that this one started to train in; each has a report of its own."""
    parameters: Sequence[ParameterVerdict]
    loose: int
    """Tensors that an optimizer holds and no model: they were not checked."""
    findings: Sequence[CheckFinding]

    def write(self, file: Path) -> None:
        """Write the report as JSON; of a name that is no text, what is none is a question mark."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        made = file.with_name(f"{file.name}-")
        made.write_bytes(text.encode("utf-8", "replace"))
        made.replace(file)  # at once, for one that reads it meanwhile


@dataclass(frozen=True)
class Checked:
    """What was checked, and how: the part of a report that is known before."""

    program: Program
    file: str
    process: str
    started: float
    """In seconds since the epoch."""
    limit: float
    """In seconds."""
    children: Sequence[ProcessRecord]


def report(checked: Checked, check: Check, watch: Watch, ending: Ending) -> CheckReport:
    """Gather what a check has found."""
    return CheckReport(
        checked.process,
        checked.program.name,
        os.path.join(check.folders[0], checked.file),
        checked.program.arguments,
        check.folders[0],
        checked.started,
        time.time() - checked.started,
        torch.__version__,
        ending.outcome,
        ending.exit_code,
        ending.error,
        check.problem,
        check.misused,
        watch.lack,
        check.steps or 0,
        check.steps_made,
        check.never_steps,
        checked.limit,
        check.timed_out,
        [
            ModelRecord(name, type(model).__name__)
            for each in check.watched
            for name, model in each.models.items()
        ],
        watch.optimizers,
        checked.children,
        list(check.verdicts()),
        check.loose,
        list(check.found()),
    )
