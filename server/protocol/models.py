"""The bases of every model: messages, requests and rows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A message or a part of one; fields that this version does not know are ignored."""

    # Names of parameters come once each: to look for each among those before costs more.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", cache_strings="keys")


class Request(BaseModel):
    """What a browser or a script asks; fields that nobody knows are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(BaseModel):
    """A row of an answer."""

    model_config = ConfigDict(frozen=True)
