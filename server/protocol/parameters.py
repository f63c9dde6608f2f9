"""A parameter: as the job tables it, what keeps it frozen, and the rows of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from . import limits
from .fields import Count, Indexes, Mode, ModulePath, Name, ParameterName
from .models import Message, Row


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


class FrozenRow(Row):
    """Who froze a parameter; `since_step` and `command` are null when the script did."""

    by: str
    mode: str
    hold_stats: bool
    since_step: int | None
    command: int | None


class ParameterRow(Row):
    """One parameter with its latest figures; one that is not a finite number is null.

    `grad_norm` is of the latest sample, the others of the latest sample that took them.
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
    update_ratio: float | None
    weight_norm: float | None
    step: int | None
    gate: int | None = None
    cause: str | None = None


class ParameterRows(Row):
    """Answer of `GET /api/runs/{run}/parameters`."""

    parameters: list[ParameterRow]
