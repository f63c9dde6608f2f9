"""A run: one training job, as a row."""

from __future__ import annotations

from enum import Enum

from .models import Row
from .restraints import Restraints


class RunStatus(str, Enum):
    """Whether a run's probe is there."""

    LIVE = "live"
    FINISHED = "finished"
    LOST = "lost"


class RunRow(Row):
    """One training job; `states` counts the states of its latest sample, `alerts` its alerts.

    `parameters`, `trainable` and `numel` leave out the parameters that were removed.
    `server_time`, when the row was made, `last_seen` and `sample_time` are by the server's clock.
    """

    id: str
    name: str
    status: RunStatus
    step: int
    started: float
    server_time: float
    last_seen: float | None
    sample_time: float | None
    sample_step: int | None
    steps_per_second: float | None
    cost: float | None
    every: int | None
    dropped: int
    faults: int
    samples: int
    parameters: int
    trainable: int
    numel: int
    ranks: int
    compiled: bool
    host: str
    pid: int
    probe_version: str
    torch_version: str
    figures: str
    states: dict[str, int]
    expect: list[str]
    restraints: Restraints
    alerts: int


class Runs(Row):
    """Answer of `GET /api/runs`."""

    runs: list[RunRow]
