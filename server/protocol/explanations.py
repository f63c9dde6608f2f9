"""Why parameters have no useful gradient, as the job tells it and as rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from . import limits
from .fields import Cause, Count, Figure, Index, Label, ParameterName, Place, SourceLine, Text
from .models import Message, Row

LineNumber = Annotated[int, Field(ge=1, le=limits.NUMBER)]


class Station(Message):
    """One stop of the gradient's way from the loss to a parameter.

    `flow`: a gradient got here, here it ended, or this is behind the end; or here it turned into
    NaN or infinity, or that got here.
    """

    label: Label
    kind: Literal["loss", "module", "call", "parameter"]
    flow: Literal["flows", "stops", "none", "turns", "nonfinite"]
    where: Place | None


class Snippet(Message):
    """Line `line` of a file with a few around it; the first of `lines` has the number `first`."""

    file: Place
    line: LineNumber
    first: LineNumber
    lines: Annotated[list[SourceLine], Field(min_length=1, max_length=limits.SOURCE_LINES)]

    @model_validator(mode="after")
    def _holds_its_line(self) -> Snippet:
        if not self.first <= self.line < self.first + len(self.lines):
            raise ValueError("`lines`, the first of which is line `first`, hold line `line`")
        return self


class Explanation(Message):
    """Why one parameter has no useful gradient, where that comes from, and what to change.

    `parameter` is null for one that no module has, such as a layer in a plain list.
    """

    parameter: Index | None
    name: ParameterName
    cause: Cause
    where: Place | None
    detail: Text
    advice: Text
    path: Annotated[list[Station], Field(max_length=limits.STATIONS)]
    source: Snippet | None


class Explained(Message):
    """What a traced step showed: every parameter that is not listed had a useful gradient.

    `seconds` is what the step took, `ratio` that against a normal one, `command` what asked for it
    (null: the job looked by itself), `total` how many there were when not all of them are listed.
    """

    step: Count
    seconds: Figure
    ratio: Figure | None = None
    command: Count | None = None
    explanations: Annotated[list[Explanation], Field(max_length=limits.EXPLANATIONS)]
    total: Count | None = None

    @model_validator(mode="after")
    def _counts_what_it_lists(self) -> Explained:
        if self.total is not None and self.total < len(self.explanations):
            raise ValueError("`total` counts at least those that are listed")
        return self

    @property
    def count(self) -> int:
        """Return how many there were, listed or not."""
        return len(self.explanations) if self.total is None else self.total


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
    explanations: list[Explanation] = Field(default=[])
