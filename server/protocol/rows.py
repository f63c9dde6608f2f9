"""The rows that the REST API and the live socket answer with, as pydantic models."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from .alerts import Alert
from .command_life import CommandState
from .effects import Saved
from .explanations import Explanation
from .fields import By, Kind, Mode, Name


class RunStatus(str, Enum):
    """Whether a run's probe is there."""

    LIVE = "live"
    FINISHED = "finished"
    LOST = "lost"


class Row(BaseModel):
    """A row of an answer."""

    model_config = ConfigDict(frozen=True)


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
    alerts: int


class FrozenRow(Row):
    """Who froze a parameter; `since_step` and `command` are null when the script did."""

    by: str
    mode: str
    hold_stats: bool
    since_step: int | None
    command: int | None


class ParameterRow(Row):
    """One parameter with its latest figures; one that is not a finite number is null.

    `gate` is the gate that kept its gradient away, where `state` is `gated`; `cause` is why it had
    no useful gradient when a step was last traced, null when it had one or none was.
    """

    index: int
    name: str
    names: list[str]
    module: str
    shape: list[int]
    numel: int
    dtype: str
    device: str
    in_optimizer: bool
    removed: bool
    state: str
    frozen: FrozenRow | None
    grad_norm: float | None
    grad_max: float | None
    step: int | None
    gate: int | None = None
    cause: str | None = None


class CommandRow(Row):
    """One entry of the audit log; among others it names the first 20 of its `count` parameters.

    The fields from `site` on are null for a freeze, a thaw and an explain; of an ungate there is
    `gate` alone, and of a new gate `gate` follows when the job has made it.
    """

    id: int
    kind: str
    target: str
    mode: str
    hold_stats: bool
    reset_state: bool
    by: str
    state: CommandState
    step: int | None
    parameters: list[str]
    count: int
    reason: str | None
    detail: str | None
    saved: Saved | None
    requested: float
    times: dict[str, float]
    site: str | None = None
    when: str | None = None
    action: str | None = None
    factor: float | None = None
    max_norm: float | None = None
    hold: int | None = None
    paused: bool | None = None
    gate: int | None = None


class GateRow(Row):
    """A gate as the job last reported it; it names the first 20 of its `count` parameters."""

    id: int
    site: str
    when: str
    action: str
    factor: float | None
    max_norm: float | None
    hold: int
    paused: bool
    by: str
    command: int | None
    since_step: int
    closed: bool
    steps: int
    closed_steps: int
    norm_in: float | None
    norm_out: float | None
    problem: str | None
    parameters: list[str]
    count: int


class SeriesRow(Row):
    """One parameter's history in at most `points` buckets."""

    parameter: str
    stat: str
    steps: list[int]
    values: list[float | None]
    min: list[float | None]
    max: list[float | None]
    states: list[str]
    samples: int


class SeriesError(Row):
    """Takes the place of a series that there is not."""

    parameter: str
    error: str


class MetricRow(Row):
    """One metric's history."""

    steps: list[int]
    values: list[float | None]


class Runs(Row):
    """Answer of `GET /api/runs`."""

    runs: list[RunRow]


class ParameterRows(Row):
    """Answer of `GET /api/runs/{run}/parameters`."""

    parameters: list[ParameterRow]


class SeriesRows(Row):
    """Answer of `GET /api/runs/{run}/series` for several parameters."""

    series: list[SeriesRow | SeriesError]


class Sparklines(Row):
    """The last samples of `grad_norm`, and of the states as codes, of every parameter."""

    steps: list[int]
    rows: list[list[float | None]]
    states: list[list[int]]


class MetricRows(Row):
    """Answer of `GET /api/runs/{run}/metrics`."""

    metrics: dict[str, MetricRow]


class CommandRows(Row):
    """Answer of `GET /api/runs/{run}/commands`."""

    commands: list[CommandRow]


class GateRows(Row):
    """Answer of `GET /api/runs/{run}/gates`."""

    gates: list[GateRow]


class ExplanationRows(Row):
    """Answer of `GET /api/runs/{run}/explanations`: what the latest traced step showed.

    `total` counts all of that step, chosen and listed or not, and `left_out` those that are not
    known here. Before the first such step `step` is null.
    """

    step: int | None = None
    seconds: float | None = None
    ratio: float | None = None
    total: int = 0
    left_out: int = 0
    by: Literal["job", "command"] | None = None
    command: int | None = None
    time: float | None = None
    explanations: list[Explanation] = []


class AlertRows(Row):
    """Answer of `GET /api/runs/{run}/alerts`: the first 2,000."""

    alerts: list[Alert]


class StoreHealth(Row):
    """The state of the store: frames that wait to be written, and the time of the last commit."""

    kind: str
    queue: int
    last_commit: float | None
    error: str | None = None


class Health(Row):
    """Answer of `GET /healthz`."""

    status: Literal["ok", "failing"]
    version: str
    store: StoreHealth


class Fault(Row):
    """Why there is no answer, and what to do."""

    detail: str


class ChangeRequest(BaseModel):
    """A change that a job may be asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    target: Name
    mode: Mode = "grad"
    hold_stats: bool = False
    reset_state: bool = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ChangeRequest:
        if self.kind == "thaw" and self.mode != "grad":
            raise ValueError("`mode` is for a freeze: a thaw undoes every mode, so leave it out")
        if self.kind == "thaw" and self.hold_stats:
            raise ValueError(
                "`hold_stats` is for a freeze: a thaw lets running statistics run, so leave it out"
            )
        if self.kind == "freeze" and self.reset_state:
            raise ValueError(
                "`reset_state` is for a thaw: a freeze keeps the optimizer's state, so leave it out"
            )
        return self


class CommandRequest(ChangeRequest):
    """A freeze or a thaw that a browser or a script asks of a job."""

    by: By = "api"


class ExplainRequest(BaseModel):
    """Trace the next step of a job, and say why gradients are missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["explain"]
    target: Name = "*"
    by: By = "api"
