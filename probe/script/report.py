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
    exit_code: int
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
    processes: int
    """Processes that the script started by ``multiprocessing``, which are not checked."""
    parameters: Sequence[ParameterVerdict]
    findings: Sequence[CheckFinding]

    def write(self, file: Path) -> None:
        """Write the report as JSON; of a name that is no text, what is none is a question mark."""
        file.write_bytes(json.dumps(asdict(self), ensure_ascii=False).encode("utf-8", "replace"))


def report(
    program: Program,
    file: str,
    check: Check,
    watch: Watch,
    ending: Ending,
    started: float,
    processes: int,
    limit: float,
) -> CheckReport:
    """Gather what a check has found.

    ``file``: what was run; ``started``: in seconds since the epoch; ``limit``: in seconds.
    """
    return CheckReport(
        program.name,
        os.path.join(check.folders[0], file),
        program.arguments,
        check.folders[0],
        started,
        time.time() - started,
        torch.__version__,
        ending.outcome,
        ending.exit_code,
        ending.error,
        check.problem,
        check.misused,
        watch.lack,
        check.steps or 0,
        sum(each.step for each in check.watched),
        check.never_steps,
        limit,
        check.timed_out,
        [
            ModelRecord(name, type(model).__name__)
            for each in check.watched
            for name, model in each.models.items()
        ],
        watch.optimizers,
        processes,
        list(check.verdicts()),
        list(check.found()),
    )
