"""The binary frame of a sample, as ``docs/protocol.md`` lays it out."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PROTOCOL = 1
GRAD_NORM = 1
GRAD_MAX = 2
FLAG_SKIPPED = 1

MAGIC = b"GG"
"""What each binary frame starts with."""

_HEADER = struct.Struct("<2sBBBBHQQdII")
_KIND_SAMPLE = 1


@dataclass(frozen=True)
class Sample:
    """What was measured at one step for every parameter."""

    step: int
    time: float
    """Seconds since the Unix epoch."""
    states: npt.NDArray[np.uint8]
    """Codes of :class:`~gradgate.probe.states.State`, [parameters]."""
    values: Mapping[int, npt.NDArray[np.float32]]
    """By statistic code: float32 [parameters], NaN where there is no value."""
    skipped: bool = False
    """The optimizer did not apply these gradients (an overflow under AMP)."""


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
