"""What a command would touch, and what it saved: measured by the job, passed on as it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from . import limits
from .fields import (
    ChangeName,
    Count,
    Difference,
    Figure,
    Mode,
    ModulePath,
    Name,
    ParameterName,
    Text,
)
from .models import Message

SomeNames = Annotated[list[ParameterName], Field(max_length=limits.PARAMETERS)]


class Preview(Message):
    """What a command would touch, before it is sent.

    Lists of names are cut after 20; `count`, `numel` and the bytes are of all. `cut_off` is null
    when the job cannot know yet.
    """

    kind: ChangeName
    target: Name
    mode: Mode
    hold_stats: bool
    reset_state: bool
    parameters: SomeNames
    count: Count
    already: Count
    numel: Count
    share: Figure
    gradient_bytes: Count
    state_bytes: Count
    trainable_after: Count
    trainable_numel_after: Count
    not_in_optimizer: SomeNames
    tied: Annotated[list[SomeNames], Field(max_length=limits.PARAMETERS)]
    running_stats: Annotated[list[ModulePath], Field(max_length=limits.PARAMETERS)]
    cut_off: SomeNames | None
    recompiles: bool
    warnings: Annotated[list[Text], Field(max_length=limits.PARAMETERS)]


class Saved(Message):
    """What a command changed in the cost of a step, as medians of `steps` steps on each side.

    `backward_before` and `backward_after` are in seconds. `gradient_bytes` were freed, and are
    negative for a thaw. The memory is what the accelerator had allocated at the end of the forward.
    The spreads are interquartile ranges, in seconds; `measurable` is false where the backward
    changed by no more than its noise. Older probes tell none of the three.
    """

    backward_before: Figure
    backward_after: Figure
    steps: Count
    gradient_bytes: Difference
    memory_before: Count | None
    memory_after: Count | None
    spread_before: Figure | None = None
    spread_after: Figure | None = None
    measurable: bool | None = None
