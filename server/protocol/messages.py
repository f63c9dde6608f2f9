"""Every JSON message between probe and server (docs/protocol.md), as pydantic models."""

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
from .alerts import Alert
from .command_life import CommandState
from .effects import Preview, Saved
from .explanations import Explained
from .fields import (
    Action,
    CommandKind,
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
    Site,
    Text,
)
from .gates import Gate
from .trials import RecordedHistory, Trial


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
    expect: Annotated[list[Name], Field(max_length=limits.EXPECTATIONS)] = []


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


class GatesState(Message):
    """The gates that there are now: the absolute state, not a change."""

    type: Literal["gates"]
    seq: Seq
    gates: Annotated[list[Gate], Field(max_length=limits.GATES)]


class Explanations(Message, Explained):
    """Why parameters had no useful gradient in a step; replaces all that were known before."""

    type: Literal["explanations"]
    seq: Seq


class Alerts(Message):
    """The expected parameters that have no useful gradient now: the absolute state."""

    type: Literal["alerts"]
    seq: Seq
    alerts: Annotated[list[Alert], Field(max_length=limits.PARAMETERS)]


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
    kind: CommandKind | None = None
    target: Name | None = None
    mode: Mode | None = None
    hold_stats: bool | None = None
    reset_state: bool | None = None
    site: Site | None = None
    when: Text | None = None
    action: Action | None = None
    factor: FiniteFloat | None = None
    max_norm: FiniteFloat | None = None
    hold: Count | None = None
    paused: bool | None = None
    gate: Count | None = None

    @property
    def has_news(self) -> bool:
        """Whether it tells more than a state, and so something new of a command in that state."""
        return any(each is not None for each in (self.reason, self.detail, self.saved))

    @property
    def place(self) -> str | None:
        """Where a command made in Python acts, in words."""
        match self.kind:
            case "gate" if self.site is not None:
                return self.site
            case "ungate" if self.gate is not None:
                return f"gate {self.gate}"
            case _:
                return self.target

    @model_validator(mode="after")
    def _says_which(self) -> Report:
        if (self.id is None) == (self.local is None):
            raise ValueError("a report has either `id` or `local`")
        if self.local is not None and (self.kind is None or self.place is None):
            raise ValueError(
                "a report with `local` has `kind` and `target`, for a gate `kind` and `site`, "
                "for an ungate `kind` and `gate`"
            )
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


class TrialAnswer(Message, Trial):
    """How a condition fared when it was tried; answers a `TrialQuestion`."""

    type: Literal["trial"]
    request: Count


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


class GateCommand(Message):
    """A command for the probe: make a gate, or with `gate` give that one these fields."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["gate"]
    target: None = None
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    paused: bool
    gate: Count | None
    by: Name


class UngateCommand(Message):
    """A command for the probe: remove a gate."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["ungate"]
    target: None = None
    gate: Count
    by: Name


class ExplainCommand(Message):
    """A command for the probe: trace the next step, and say why gradients are missing."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["explain"]
    target: Name
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


class TrialQuestion(Message):
    """Asks the probe whether a gate could be made, and when it would have been closed."""

    type: Literal["trial"] = "trial"
    request: Count
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    history: RecordedHistory | None


class Error(Message):
    """Why the server closes; `retry` says whether the probe may try again by itself."""

    type: Literal["error"] = "error"
    message: str
    retry: bool


AnyCommand = Annotated[
    Command | GateCommand | UngateCommand | ExplainCommand, Field(discriminator="kind")
]
COMMAND: TypeAdapter[AnyCommand] = TypeAdapter(AnyCommand)

# What carries a sequence number, and is acknowledged.
Sequenced = Parameters | FrozenState | GatesState | Explanations | Alerts | Metrics | Report
Streamed = Sequenced | Heartbeat | Bye
Answer = PreviewAnswer | TrialAnswer
FromProbe = Annotated[Hello | Streamed | Answer, Field(discriminator="type")]
ToProbe = Annotated[
    Welcome | Ack | AnyCommand | PreviewQuestion | TrialQuestion | Error,
    Field(discriminator="type"),
]

STREAMED: TypeAdapter[Streamed | Answer] = TypeAdapter(
    Annotated[Streamed | Answer, Field(discriminator="type")]
)
