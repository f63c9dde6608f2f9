"""Every JSON message of a probe (docs/protocol.md, section 1), as pydantic models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, FiniteFloat, PrivateAttr, TypeAdapter, model_validator

from . import limits
from .alerts import Alert
from .commands.kind import CommandFields
from .commands.registry import KINDS
from .commands.state import CommandState
from .distributions import ParameterDistributions
from .effects import Preview, Saved
from .explanations import Explained
from .fields import Count, Figure, Indexes, Name, NonFinite, RunId, Seq, Text
from .gates import Gate
from .models import Message
from .optimizers import OptimizerGroup
from .parameter_table import NO_TABLE, Digest, Table, TableColumns, TableRows, table_of
from .parameters import FrozenList
from .restraints import Restraints
from .runs import RunStatus
from .totals import Totals
from .trials import Trial


class Greeting(Message):
    """The part of `hello` that every version of the protocol has."""

    type: Literal["hello"]
    protocol: int


class Tabled(Message):
    """A message with the parameter table: in columns, or row by row as earlier versions told it."""

    parameters: TableRows | None = None
    columns: TableColumns | None = None
    digest: Digest | None = None

    _table: Table = PrivateAttr(NO_TABLE)

    @property
    def table(self) -> Table:
        """Return the table that is told; none where it is not."""
        return self._table

    @property
    def has_table(self) -> bool:
        """Return whether the table is told, and not its digest alone."""
        return self.parameters is not None or self.columns is not None

    @model_validator(mode="after")
    def _is_told_once(self) -> Tabled:
        if self.parameters is not None and self.columns is not None:
            raise ValueError("a table is told by `columns` or by `parameters`, not by both")
        if not self.has_table and (self.digest is None or not self._may_be_known):
            raise ValueError("a table is told by `columns`")
        told = self.parameters if self.columns is None else self.columns
        if told is not None:
            self._table = table_of(told, self.digest)
        return self

    _may_be_known: ClassVar[bool] = False
    """Whether the digest is enough, where the server knows the table of it."""


class Hello(Tabled):
    """The first frame of a probe."""

    _may_be_known: ClassVar[bool] = True

    type: Literal["hello"]
    protocol: Literal[1, 2]
    run: RunId
    name: Name
    group: Name | None = None
    """The search or the pipeline that the job is a part of."""
    started: FiniteFloat
    host: Text
    pid: Count
    probe_version: Text
    torch_version: Text
    figures: Text
    frozen: FrozenList
    step: Count
    ranks: Annotated[int, Field(ge=1, le=limits.NUMBER)] = 1
    compiled: bool = False
    focus: Count = 0
    """Parameters that it can look at closely at once; 0: a probe that cannot."""
    expect: Annotated[list[Name], Field(max_length=limits.EXPECTATIONS)] = Field(default=[])
    restraints: Restraints = Restraints()


class Numbered(Message):
    """Any frame that has a number, whatever else it has."""

    seq: Seq


class Parameters(Tabled):
    """The whole parameter table again, after it changed."""

    type: Literal["parameters"]
    seq: Seq


class FrozenState(Message):
    """What is frozen by command now: the absolute state, not a change."""

    type: Literal["frozen"]
    seq: Seq
    frozen: FrozenList
    trainable: Count | None = None
    """How many parameters are trained now, whoever froze the others; None: not told."""


class GatesState(Message):
    """The gates that there are now: the absolute state, not a change."""

    type: Literal["gates"]
    seq: Seq
    gates: Annotated[list[Gate], Field(max_length=limits.GATES)]


class Explanations(Explained):
    """Why parameters had no useful gradient in a step; replaces all that were known before."""

    type: Literal["explanations"]
    seq: Seq


class Alerts(Message):
    """Every alert and note that there is now: the absolute state, not a change."""

    type: Literal["alerts"]
    seq: Seq
    alerts: Annotated[list[Alert], Field(max_length=limits.PARAMETERS)]


class Optimizers(Message):
    """Every group of the optimizers as a step applied it: the absolute state, not a change."""

    type: Literal["optimizers"]
    seq: Seq
    step: Count
    groups: Annotated[list[OptimizerGroup], Field(max_length=limits.PARAMETERS)]


class Metrics(Message):
    """What the user gave to `log(...)`."""

    type: Literal["metrics"]
    seq: Seq
    step: Count
    time: FiniteFloat
    values: Annotated[dict[Name, float | None], Field(max_length=limits.METRICS)]
    """None for a number that is not finite."""
    nonfinite: Annotated[dict[Name, NonFinite], Field(max_length=limits.METRICS)] = Field(
        default={}
    )
    """What those numbers are; NaN for those that are not told."""

    def numbers(self) -> Iterator[tuple[str, float]]:
        """Yield each name and its number, as it was logged."""
        for name, value in self.values.items():
            yield name, float(self.nonfinite.get(name, "nan")) if value is None else value


class Report(CommandFields):
    """The progress of a command, one from the server (`id`) or one made in Python (`local`)."""

    type: Literal["report"]
    seq: Seq
    id: Count | None = None
    local: Count | None = None
    state: CommandState
    time: FiniteFloat
    step: Count | None = None
    parameters: Indexes = Field(default=[])
    reason: Text | None = None
    detail: Text | None = None
    saved: Saved | None = None

    @property
    def has_news(self) -> bool:
        """Return whether it says more than a state, and so something new of a known state."""
        return any(each is not None for each in (self.reason, self.detail, self.saved))

    @property
    def place(self) -> str | None:
        """Return where a command made in Python acts, in words."""
        return self.target if self.kind is None else KINDS[self.kind].place(self)

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


class TrialAnswer(Trial):
    """How a condition fared when it was tried; answers a `TrialQuestion`."""

    type: Literal["trial"]
    request: Count


class Distributions(Message):
    """What was seen in a step of the parameters in focus."""

    type: Literal["distributions"]
    step: Count
    time: FiniteFloat
    parameters: Annotated[list[ParameterDistributions], Field(max_length=limits.FOCUS)]


class Bye(Message):
    """The job ends: as it should, or because training raised (`failed`)."""

    type: Literal["bye"]
    time: FiniteFloat
    step: Count
    failed: bool = False

    @property
    def status(self) -> RunStatus:
        """Return what the run is from now on."""
        return RunStatus.FAILED if self.failed else RunStatus.FINISHED


# What carries a sequence number, and is acknowledged.
Sequenced = (
    Parameters
    | FrozenState
    | GatesState
    | Explanations
    | Alerts
    | Optimizers
    | Metrics
    | Totals
    | Report
)
Streamed = Sequenced | Heartbeat | Bye
Answer = PreviewAnswer | TrialAnswer
Behind = Streamed | Answer | Distributions
"""Every frame behind the first."""
FromProbe = Annotated[Hello | Behind, Field(discriminator="type")]
STREAMED: TypeAdapter[Behind] = TypeAdapter(Annotated[Behind, Field(discriminator="type")])
