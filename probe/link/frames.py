"""What travels to the server: JSON, and a sample's binary frame (``docs/protocol.md``)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from ..model.sample import Sample

PROTOCOL = 2
"""What hello says, and what may follow."""
FRAME_VERSION = 1
"""Of binary frames."""
FLAG_SKIPPED = 1

PIECE = 500
"""Entries of a list that are written by one call."""

MAGIC = b"GG"
"""What each binary frame starts with."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
"""Made once: making one costs as much as it takes to write a small message."""

_READABLE = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)
"""Leaves characters as they are, and so also halves of a pair that are no text by themselves."""

_HEADER = struct.Struct("<2sBBBBHQQdII")
_KIND_SAMPLE = 1


def encode_json(message: Mapping[str, Any]) -> str:
    """Write a message as compact JSON; raises ValueError for NaN and infinities.

    One call holds the interpreter until all is written: 30 ms for a long list, in which training
    would stand still. So such lists are written in pieces.
    """
    if not any(map(_may_be_long, message.values())):
        return encode_short(message)
    fields = [f"{encode_short(name)}:{_encode_value(v)}" for name, v in message.items()]
    return "{" + ",".join(fields) + "}"


def encode_short(value: Any) -> str:
    """Write a value without a long list, by one call; raises what :func:`encode_json` raises.

    A half of a surrogate pair, which no server takes, becomes ``?``. A name has one where bytes
    of a file's name are none of UTF-8 (PEP 383).
    """
    text = _ENCODER.encode(value)
    if "\\ud" not in text:
        return text
    return _READABLE.encode(value).encode("utf-8", "replace").decode()


def _may_be_long(value: Any) -> bool:
    if type(value) in (int, float, str):
        return False
    if isinstance(value, dict):
        return any(isinstance(each, list) for each in value.values())
    return isinstance(value, (list, tuple)) and len(value) > PIECE


def _encode_value(value: Any) -> str:
    if not _may_be_long(value):
        return encode_short(value)
    if isinstance(value, dict):
        return encode_json(value)
    pieces = (encode_short(value[start : start + PIECE]) for start in range(0, len(value), PIECE))
    return "[" + ",".join(piece[1:-1] for piece in pieces) + "]"


def encode_sample(sample: Sample, seq: int) -> bytes:
    """Pack a sample for the wire."""
    codes = bytes(sample.values)
    parts = [
        _HEADER.pack(
            MAGIC,
            FRAME_VERSION,
            _KIND_SAMPLE,
            FLAG_SKIPPED if sample.skipped else 0,
            len(codes),
            0,
            seq,
            sample.step,
            sample.time,
            len(sample.states),
            0,
        ),
        _padded(codes),
        _padded(sample.states.tobytes()),
    ]
    parts += [values.astype("<f4", copy=False).tobytes() for values in sample.values.values()]
    return b"".join(parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)
