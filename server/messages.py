"""Every JSON message of the wire protocol (docs/protocol.md), as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    model_validator,
)

from . import limits
from .commands import CommandState
from .effects import Preview, Saved
from .fields import (
    Count,
    Figure,
    Indexes,
    Kind,
    Mode,
    ModulePath,
    Name,
    ParameterName,
    RunId,
    Seq,
    Text,
)
from .rows import CommandRow, RunRow


class Message(BaseModel):
    """A message; fields that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Parameter(Message):
    """A row of the parameter table."""

    names: Annotated[list[ParameterName], Field(min_length=1, max_length=limits.TIED_NAMES)]
    module: ModulePath
    shape: Annotated[list[Count], Field(max_length=limits.DIMENSIONS)]
    numel: Count
    dtype: Name
    device: Name
    in_optimizer: bool
    requires_grad: bool
    removed: bool = False


class Frozen(Message):
    """Parameters that one command keeps frozen."""

    command: Count | None = None
    by: Name
    mode: Mode
    since_step: Count
    parameters: Indexes
    hold_stats: bool = False


def _countable(table: list[Parameter]) -> list[Parameter]:
    if sum(row.numel for row in table) > limits.NUMBER:
        raise ValueError("the parameters together have 2**53 elements at most")
    return table


def _distinct(table: list[Parameter]) -> list[Parameter]:
    seen: set[str] = set()
    for row in table:
        name = row.names[0]
        if name in seen:
            raise ValueError(f"two parameters are named {name!r}; each has a name of its own")
        seen.add(name)
    return table


ParameterTable = Annotated[
    list[Parameter],
    Field(max_length=limits.PARAMETERS),
    AfterValidator(_countable),
    AfterValidator(_distinct),
]
FrozenList = Annotated[list[Frozen], Field(max_length=limits.PARAMETERS)]


class Greeting(Message):
    """The part of `hello` that every version of the protocol has."""

    type: Literal["hello"]
    protocol: int


class Hello(Message):
    """The first frame of a probe."""

    type: Literal["hello"]
    protocol: Literal[1]
    run: RunId
    name: Name
    started: FiniteFloat
    host: Text
    pid: Count
    probe_version: Text
    torch_version: Text
    figures: Text
    parameters: ParameterTable
    frozen: FrozenList
    step: Count
    ranks: Annotated[int, Field(ge=1, le=limits.NUMBER)] = 1
    compiled: bool = False


class Parameters(Message):
    """The whole parameter table again, after it changed."""

    type: Literal["parameters"]
    seq: Seq
    parameters: ParameterTable


class FrozenState(Message):
    """What is frozen by command now: the absolute state, not a change."""

    type: Literal["frozen"]
    seq: Seq
    frozen: FrozenList


class Metrics(Message):
    """What the user gave to `log(...)`."""

    type: Literal["metrics"]
    seq: Seq
    step: Count
    time: FiniteFloat
    values: Annotated[dict[Name, float | None], Field(max_length=limits.METRICS)]


class Report(Message):
    """The progress of a command, one from the server (`id`) or one made in Python (`local`)."""

    type: Literal["report"]
    seq: Seq
    id: Count | None = None
    local: Count | None = None
    state: CommandState
    time: FiniteFloat
    step: Count | None = None
    parameters: Indexes = []
    reason: Text | None = None
    detail: Text | None = None
    saved: Saved | None = None
    kind: Kind | None = None
    target: Name | None = None
    mode: Mode | None = None
    hold_stats: bool | None = None
    reset_state: bool | None = None

    @property
    def has_news(self) -> bool:
        """Whether it tells more than a state, and so something new of a command in that state."""
        return any(each is not None for each in (self.reason, self.detail, self.saved))

    @model_validator(mode="after")
    def _says_which(self) -> Report:
        if (self.id is None) == (self.local is None):
            raise ValueError("a report has either `id` or `local`")
        if self.local is not None and (self.kind is None or self.target is None):
            raise ValueError("a report with `local` has `kind` and `target`")
        return self


class Heartbeat(Message):
    """Sent once a second, also when no step is made."""

    type: Literal["heartbeat"]
    time: FiniteFloat
    step: Count
    steps_per_second: Figure | None = None
    cost: Figure | None = None
    every: Count | None = None
    dropped: Count = 0
    faults: Count = 0


class PreviewAnswer(Message):
    """What a command would touch, or why it would be rejected; answers a `PreviewQuestion`."""

    type: Literal["preview"]
    request: Count
    preview: Preview | None = None
    refused: Text | None = None

    @model_validator(mode="after")
    def _answers(self) -> PreviewAnswer:
        if (self.preview is None) == (self.refused is None):
            raise ValueError("an answer has either `preview` or `refused`")
        return self


class Bye(Message):
    """The job ends as it should."""

    type: Literal["bye"]
    time: FiniteFloat
    step: Count


class Welcome(Message):
    """The answer to `hello`."""

    type: Literal["welcome"] = "welcome"
    protocol: Literal[1] = 1
    run: RunId
    last_seq: Count
    server_version: Text
    notice: Text | None = None


class Ack(Message):
    """Everything up to `seq` is stored."""

    type: Literal["ack"] = "ack"
    seq: Count


class Command(Message):
    """A command for the probe."""

    type: Literal["command"] = "command"
    id: Count
    kind: Kind
    target: Name
    mode: Mode
    hold_stats: bool = False
    reset_state: bool = False
    by: Name


class PreviewQuestion(Message):
    """Asks the probe what a command would touch."""

    type: Literal["preview"] = "preview"
    request: Count
    kind: Kind
    target: Name
    mode: Mode
    hold_stats: bool
    reset_state: bool


class Error(Message):
    """Why the server closes; `retry` says whether the probe may try again by itself."""

    type: Literal["error"] = "error"
    message: str
    retry: bool


class RunChanged(Message):
    """To a browser: the row of the run."""

    type: Literal["run"] = "run"
    run: RunRow


class CommandsChanged(Message):
    """To a browser: rows of commands that are new or changed."""

    type: Literal["commands"] = "commands"
    commands: list[CommandRow]


class ParametersChanged(Message):
    """To a browser: the table or what is frozen changed, fetch the parameters again."""

    type: Literal["parameters"] = "parameters"


class MetricPoint(Message):
    """What was logged at one step; a number that is not finite is null."""

    step: Count
    values: dict[str, float | None]


class NewMetrics(Message):
    """To a browser: what was logged since the last message, oldest first.

    `complete` is false when some of it was left out: fetch the metrics again.
    """

    type: Literal["metrics"] = "metrics"
    points: list[MetricPoint]
    complete: bool


Streamed = Parameters | FrozenState | Metrics | Report | Heartbeat | Bye
FromProbe = Annotated[
    Hello | Parameters | FrozenState | Metrics | Report | Heartbeat | PreviewAnswer | Bye,
    Field(discriminator="type"),
]
ToProbe = Annotated[Welcome | Ack | Command | PreviewQuestion | Error, Field(discriminator="type")]
ToBrowser = Annotated[
    RunChanged | CommandsChanged | ParametersChanged | NewMetrics, Field(discriminator="type")
]

STREAMED: TypeAdapter[Streamed | PreviewAnswer] = TypeAdapter(
    Annotated[Streamed | PreviewAnswer, Field(discriminator="type")]
)
