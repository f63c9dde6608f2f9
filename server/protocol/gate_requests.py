"""What a browser or a script asks of a job's gates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)

from . import limits
from .fields import Action, By, Condition, Count, MaxNorm, Site
from .rows import CommandRequest, ExplainRequest

_WHOLE_MODEL = ("output", "input")
_NAMED = ("param", "site")


def _of_a_kind(site: str) -> str:
    kind, colon, name = site.partition(":")
    if not colon or kind not in _WHOLE_MODEL + _NAMED:
        raise ValueError(
            f"{site!r} is no site: give `param:NAME`, `output:MODULE`, `input:MODULE` or "
            "`site:LABEL`"
        )
    if kind in _NAMED and not name:
        raise ValueError(f"{site!r} names nothing: write the name behind the colon")
    return site


class GateFields(BaseModel):
    """A gate that a job may be asked for; whether its condition is one is for the job to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: Annotated[Site, AfterValidator(_of_a_kind)]
    when: Condition = "True"
    action: Action = "block"
    factor: FiniteFloat | None = None
    max_norm: MaxNorm | None = None
    hold: Count = 0

    @model_validator(mode="after")
    def _fits_its_action(self) -> GateFields:
        if self.action == "scale" and self.factor is None:
            raise ValueError("a gate that scales wants `factor`, such as 0.5, or -1 to reverse")
        if self.action == "clip" and self.max_norm is None:
            raise ValueError("a gate that clips wants `max_norm`, a number above 0")
        if self.action != "scale" and self.factor is not None:
            raise ValueError(
                f"`factor` is for a gate that scales, and this one has action {self.action}: "
                "leave it out"
            )
        if self.action != "clip" and self.max_norm is not None:
            raise ValueError(
                f"`max_norm` is for a gate that clips, and this one has action {self.action}: "
                "leave it out"
            )
        return self


class GateRequest(GateFields):
    """Make a gate, or with `gate` give that one these fields."""

    kind: Literal["gate"]
    paused: bool = False
    gate: Count | None = None
    by: By = "api"

    @property
    def target(self) -> str:
        """What the log calls the place."""
        return self.site


class UngateRequest(BaseModel):
    """Remove a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ungate"]
    gate: Count
    by: By = "api"

    @property
    def target(self) -> str:
        """What the log calls the place."""
        return f"gate {self.gate}"


class TrialRequest(GateFields):
    """Try a gate on at most the latest `samples` samples; nothing is made."""

    samples: Annotated[int, Field(ge=1, le=limits.TRIAL_SAMPLES)] = 1000


AnyRequest = Annotated[
    CommandRequest | GateRequest | UngateRequest | ExplainRequest, Field(discriminator="kind")
]
