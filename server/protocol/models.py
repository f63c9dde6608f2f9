"""The bases of every model: messages, requests and rows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """A message or a part of one; fields that this version does not know are ignored."""

    # Names of parameters come once each: to look for each among those before costs more.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", cache_strings="keys")


class CommandMessage(Message):
    """A command for the probe, which takes none that came too late."""

    age: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Seconds since it was asked for, by the server's clock, when it was sent."""
    expires: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The age from which it is not to be applied; None for never."""


class Request(BaseModel):
    """What a browser or a script asks; fields that nobody knows are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(BaseModel):
    """A row of an answer."""

    model_config = ConfigDict(frozen=True)
