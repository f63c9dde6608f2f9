"""The binary frame of one sample: decoded from a probe, encoded for a browser."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import limits
from .states import State
from .statistics import LIVE_CODES, STATES_CODE

_HEADER = struct.Struct("<2sBBBBHQQdII")
_SKIPPED = 1
MAGIC = b"GG"
"""What each binary frame starts with."""


SAMPLE, BUNDLE, COLUMNS = 1, 2, 3
"""The kinds of what is binary."""


Values = NDArray[np.float32]
States = NDArray[np.uint8]


class FrameError(ValueError):
    """A binary frame that is not one of this protocol."""


class FrameVersionError(FrameError):
    """A frame of another version of the protocol."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the frame is of protocol version {version}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured at one step; `states` and each of `values` have one entry a parameter."""

    seq: int
    step: int
    time: float
    skipped: bool
    states: States
    values: dict[int, Values]


def decode(data: bytes) -> Sample:
    """Read a sample frame; raises `FrameError` with a sentence when it is malformed.

    The arrays are views of `data`; nothing is copied.
    """
    if len(data) < _HEADER.size:
        raise FrameError(
            f"a sample frame has at least {_HEADER.size} bytes and this one has {len(data)}"
        )
    magic, version, kind, flags, k, _, seq, step, time, n, _ = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"a binary frame starts with {MAGIC!r} and this one with {magic!r}")
    if version != limits.FRAME_VERSION:
        raise FrameVersionError(version)
    if kind != SAMPLE:
        raise FrameError(
            f"the kind of a binary frame is {SAMPLE} (a sample) or {BUNDLE} (a bundle), not {kind}"
        )
    if n > limits.PARAMETERS:
        raise FrameError(f"a run has at most {limits.PARAMETERS} parameters, the frame says {n}")
    _check_numbers(seq, step, time)
    states_at = _HEADER.size + padded(k)
    values_at = states_at + padded(n)
    length = values_at + 4 * k * n
    if len(data) != length:
        raise FrameError(
            f"a sample of {k} statistics and {n} parameters has {length} bytes, "
            f"this one has {len(data)}"
        )
    codes = list(data[_HEADER.size : _HEADER.size + k])
    if len(set(codes)) != k:
        raise FrameError(f"a statistic is there more than once in {codes}")
    states = np.frombuffer(data, np.uint8, n, states_at)
    if n and int(states.max()) >= len(State):
        raise FrameError(f"{int(states.max())} is no state, the highest is {len(State) - 1}")
    values = {
        code: np.frombuffer(data, "<f4", n, values_at + 4 * n * place)
        for place, code in enumerate(codes)
    }
    return Sample(seq, step, time, bool(flags & _SKIPPED), states, values)


def number_of_sample(data: bytes) -> int | None:
    """Return the sequence number of a sample frame, also of one that is malformed behind it."""
    if len(data) < _HEADER.size or data[:4] != bytes((*MAGIC, limits.FRAME_VERSION, SAMPLE)):
        return None
    seq: int = _HEADER.unpack_from(data)[6]
    return seq if 0 < seq <= limits.NUMBER else None


def check_statistics(sample: Sample) -> None:
    """Raise `FrameError` for a sample of a probe that holds statistics of the server's own."""
    if bad := sorted({STATES_CODE, *LIVE_CODES} & sample.values.keys()):
        raise FrameError(f"a probe does not send the statistics {bad}: they are the server's own")


def encode(sample: Sample) -> bytes:
    """Write a sample frame."""
    codes = bytes(sample.values)
    n = len(sample.states)
    header = _HEADER.pack(
        MAGIC,
        limits.FRAME_VERSION,
        SAMPLE,
        _SKIPPED if sample.skipped else 0,
        len(codes),
        0,
        sample.seq,
        sample.step,
        sample.time,
        n,
        0,
    )
    parts: Sequence[bytes] = (
        header,
        codes.ljust(padded(len(codes)), b"\0"),
        sample.states.tobytes().ljust(padded(n), b"\0"),
        *(values.astype("<f4", copy=False).tobytes() for values in sample.values.values()),
    )
    return b"".join(parts)


def _check_numbers(seq: int, step: int, time: float) -> None:
    if not 1 <= seq <= limits.NUMBER:
        raise FrameError(f"seq is between 1 and 2**53, not {seq}")
    if step > limits.NUMBER:
        raise FrameError(f"a step is below 2**53, not {step}")
    if not math.isfinite(time):
        raise FrameError(f"time is a finite number of seconds, not {time}")


def padded(length: int) -> int:
    """Return the next multiple of 8: where the next part begins."""
    return -(-length // 8) * 8
