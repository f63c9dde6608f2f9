"""Every JSON message to a probe (docs/protocol.md, section 1), as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from . import limits
from .commands.registry import AnyCommand
from .fields import Action, ChangeName, Count, Indexes, Mode, Name, RunId, Site, Text
from .models import Message
from .trials import RecordedHistory


class Welcome(Message):
    """The answer to `hello`."""

    type: Literal["welcome"] = "welcome"
    protocol: Literal[1, 2]
    """What the job speaks."""
    run: RunId
    last_seq: Count
    server_version: Text


class TableQuestion(Message):
    """The answer to a `hello` without the table where it is not known: the probe says all of it."""

    type: Literal["table"] = "table"


class Ack(Message):
    """Everything up to `seq` is stored.

    `gather`: seconds for which samples and metrics may gather from now on before they are sent.
    """

    type: Literal["ack"] = "ack"
    seq: Count
    gather: FiniteFloat = 0.1


class Farewell(Message):
    """The answer to `bye`: that the run has ended is stored, and all that came before it."""

    type: Literal["bye"] = "bye"


class PreviewQuestion(Message):
    """Asks the probe what a command would touch."""

    type: Literal["preview"] = "preview"
    request: Count
    kind: ChangeName
    target: Name
    mode: Mode
    hold_stats: bool
    reset_state: bool


class TrialQuestion(Message):
    """Asks the probe whether a gate could be made, and when it would have been closed."""

    type: Literal["trial"] = "trial"
    request: Count
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    history: RecordedHistory | None


class Focus(Message):
    """What the probe is to look at closely, and no other parameter; for so many seconds."""

    type: Literal["focus"] = "focus"
    parameters: Indexes
    seconds: FiniteFloat


class Watched(Message):
    """The commands whose page is there: those that last while it is go on."""

    type: Literal["watched"] = "watched"
    commands: Annotated[list[Count], Field(max_length=limits.HOLDS)]


class Error(Message):
    """Why the server closes; `retry` says whether the probe may try again by itself.

    `seq` is the number of the frame that is refused, and null where it is not one of these.
    """

    type: Literal["error"] = "error"
    message: str
    retry: bool
    seq: Count | None = None


ToProbe = Annotated[
    Welcome
    | TableQuestion
    | Ack
    | Farewell
    | AnyCommand
    | PreviewQuestion
    | TrialQuestion
    | Focus
    | Watched
    | Error,
    Field(discriminator="type"),
]
