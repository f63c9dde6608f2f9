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

_HEADER = struct.Struct("<2sBBBBHQQdII")
_KIND_SAMPLE = 1


def encode_json(message: Mapping[str, Any]) -> str:
    """Write a message as compact JSON; raises ValueError for NaN and infinities.

    One call holds the interpreter until all is written: 30 ms for a long list, in which training
    would stand still. So such lists are written in pieces.
    """
    fields = [f"{_dumps(name)}:{_encode_value(value)}" for name, value in message.items()]
    return "{" + ",".join(fields) + "}"


def _encode_value(value: Any) -> str:
    if isinstance(value, Mapping) and any(isinstance(each, list) for each in value.values()):
        return encode_json(value)
    if not isinstance(value, (list, tuple)) or len(value) <= PIECE:
        return _dumps(value)
    pieces = (_dumps(value[start : start + PIECE]) for start in range(0, len(value), PIECE))
    return "[" + ",".join(piece[1:-1] for piece in pieces) + "]"


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


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
