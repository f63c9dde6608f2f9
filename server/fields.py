"""The types of fields that messages, rows and requests share, with their limits."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, StringConstraints

from . import limits


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=limits.NAME_CHARACTERS, pattern=r"^[^\x00]*$"),
]
# A parameter that was replaced keeps its name and gets " (replaced at step N)" behind it.
ParameterName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=limits.NAME_CHARACTERS + limits.SUFFIX_CHARACTERS,
        pattern=r"^[^\x00]*$",
    ),
]
Text = Annotated[str, StringConstraints(max_length=limits.TEXT_CHARACTERS, pattern=r"^[^\x00]*$")]
ModulePath = Annotated[str, StringConstraints(max_length=limits.NAME_CHARACTERS)]
By = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, le=limits.NUMBER)]
Difference = Annotated[int, Field(ge=-limits.NUMBER, le=limits.NUMBER)]
Seq = Annotated[int, Field(ge=1, le=limits.NUMBER)]
Index = Annotated[int, Field(ge=0, lt=limits.PARAMETERS)]
Indexes = Annotated[list[Index], Field(max_length=limits.PARAMETERS)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kind = Literal["freeze", "thaw"]
CommandKind = Literal["freeze", "thaw", "gate", "ungate"]
Mode = Literal["grad", "no_grad"]
Action = Literal["block", "scale", "clip"]
# A place of a gate, such as "output:encoder": the name of its kind stands before that of the place.
Site = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=limits.NAME_CHARACTERS + limits.SUFFIX_CHARACTERS,
        pattern=r"^[^\x00]*$",
    ),
]
Condition = Annotated[
    str, StringConstraints(max_length=limits.CONDITION_CHARACTERS, pattern=r"^[^\x00]*$")
]
MaxNorm = Annotated[FiniteFloat, Field(gt=0)]
Measured = Annotated[float | None, AfterValidator(_finite)]
"""A number that was measured; one that is not finite is null."""
