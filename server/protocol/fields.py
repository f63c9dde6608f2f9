"""The types of fields that messages, rows and requests share, with their limits."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, StringConstraints

from . import limits


def nonfinite_word(value: float) -> NonFinite:
    """Return the word of a number that is not finite."""
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


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
ModulePath = Annotated[
    str, StringConstraints(max_length=limits.NAME_CHARACTERS, pattern=r"^[^\x00]*$")
]
By = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, le=limits.NUMBER)]
Difference = Annotated[int, Field(ge=-limits.NUMBER, le=limits.NUMBER)]
Seq = Annotated[int, Field(ge=1, le=limits.NUMBER)]
Index = Annotated[int, Field(ge=0, lt=limits.PARAMETERS)]
Indexes = Annotated[list[Index], Field(max_length=limits.PARAMETERS)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ChangeName = Literal["freeze", "thaw"]
KindName = Literal["freeze", "thaw", "gate", "ungate", "explain"]
Mode = Literal["grad", "no_grad"]
Action = Literal["block", "scale", "clip"]
Cause = Literal[
    "frozen_by_script",
    "frozen_by_command",
    "gated",
    "module_not_called",
    "parameter_not_used",
    "no_grad",
    "detached",
    "not_differentiable",
    "not_in_loss",
    "zero_gradient",
    "nonfinite",
    "overwritten",
    "not_in_optimizer",
    "no_backward",
    "not_moving",
    "moved_without_gradient",
    "not_cleared",
    "replicas_differ",
    "exploding",
    "vanishing",
    "dead_units",
    "update_ratio",
    "wrong_backward",
    "unknown",
]
UnaskedCause = Literal["no_step", "not_frozen", "share", "switched_off", "unmeasured"]
"""The causes that alerts and notes have, and no explanation."""
AlertCause = Literal[Cause, UnaskedCause]
NonFinite = Literal["nan", "inf", "-inf"]
"""A number that is not finite, in a word that `float` reads."""
AlertLevel = Literal["alert", "note"]
Label = Annotated[str, StringConstraints(max_length=limits.LABEL_CHARACTERS, pattern=r"^[^\x00]*$")]
# A file, or a line of one, such as "train.py:41"; the longest path of Linux has 4096 bytes.
Place = Annotated[str, StringConstraints(max_length=limits.PLACE_CHARACTERS, pattern=r"^[^\x00]*$")]
SourceLine = Annotated[
    str, StringConstraints(max_length=limits.SOURCE_CHARACTERS, pattern=r"^[^\x00]*$")
]
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
