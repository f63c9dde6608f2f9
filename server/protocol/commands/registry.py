"""Every kind of command: a new one is a class, its models in the two unions, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from .change import CHANGES, Command, CommandRequest
from .explain import Explain, ExplainCommand, ExplainRequest
from .gate import GateCommand, GateKind, GateRequest, UngateCommand, UngateKind, UngateRequest
from .kind import CommandKind

AnyRequest = Annotated[
    CommandRequest | GateRequest | UngateRequest | ExplainRequest, Field(discriminator="kind")
]
AnyCommand = Annotated[
    Command | GateCommand | UngateCommand | ExplainCommand, Field(discriminator="kind")
]

KINDS: Mapping[str, CommandKind] = {
    kind.name: kind for kind in (*CHANGES.values(), GateKind(), UngateKind(), Explain())
}
