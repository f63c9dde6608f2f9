"""The binary frame of a sample, as ``docs/protocol.md`` lays it out."""

from __future__ import annotations

import struct

from ..model.sample import Sample

PROTOCOL = 1
FLAG_SKIPPED = 1

MAGIC = b"GG"
"""What each binary frame starts with."""

_HEADER = struct.Struct("<2sBBBBHQQdII")
_KIND_SAMPLE = 1


def encode_sample(sample: Sample, seq: int) -> bytes:
    """Pack a sample for the wire."""
    codes = bytes(sample.values)
    parts = [
        _HEADER.pack(
            MAGIC,
            PROTOCOL,
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
