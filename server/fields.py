"""The types of fields that messages, rows and requests share, with their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from . import limits

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
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, le=limits.NUMBER)]
Difference = Annotated[int, Field(ge=-limits.NUMBER, le=limits.NUMBER)]
Seq = Annotated[int, Field(ge=1, le=limits.NUMBER)]
Index = Annotated[int, Field(ge=0, lt=limits.PARAMETERS)]
Indexes = Annotated[list[Index], Field(max_length=limits.PARAMETERS)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Kind = Literal["freeze", "thaw"]
Mode = Literal["grad", "no_grad"]
