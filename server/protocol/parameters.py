"""What keeps parameters frozen, and the rows of parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from . import limits
from .commands.limit import Limit
from .fields import Count, Indexes, Mode, Name
from .models import Message, Row


class Frozen(Message):
    """Parameters that one command keeps frozen."""

    command: Count | None = None
    by: Name
    mode: Mode
    since_step: Count
    parameters: Indexes
    hold_stats: bool = False
    limit: Limit | None = None


FrozenList = Annotated[list[Frozen], Field(max_length=limits.PARAMETERS)]


class FrozenRow(Row):
    """Who froze a parameter; `since_step` and `command` are null when the script did."""

    by: str
    mode: str
    hold_stats: bool
    since_step: int | None
    command: int | None
    limit: Limit | None = None


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
