"""Every kind of command."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from .change import Command, CommandRequest
from .explain import ExplainCommand, ExplainRequest
from .gate import GateCommand, GateRequest, UngateCommand, UngateRequest

AnyRequest = Annotated[
    CommandRequest | GateRequest | UngateRequest | ExplainRequest, Field(discriminator="kind")
]
AnyCommand = Annotated[
    Command | GateCommand | UngateCommand | ExplainCommand, Field(discriminator="kind")
]
COMMAND: TypeAdapter[AnyCommand] = TypeAdapter(AnyCommand)
