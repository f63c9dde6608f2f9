"""Several frames of a probe in one message (docs/protocol.md, "The bundle, binary")."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeGuard

from . import limits
from .frames import BUNDLE, MAGIC, FrameError, FrameVersionError

Frame = str | bytes

_HEADER = struct.Struct("<2sBBI")


def unbundle(message: Frame) -> Sequence[Frame]:
    """Return the frames of a message in their order, as if each had come by itself.

    Raises `FrameError` with a sentence when the message is a malformed bundle. What the frames
    themselves say is not looked at.
    """
    if not _is_bundle(message):
        return (message,)
    starts = _starts(message)
    return [
        _frame(message[start:end], number)
        for number, (start, end) in enumerate(pairwise(starts), start=1)
    ]


def _is_bundle(message: Frame) -> TypeGuard[bytes]:
    return isinstance(message, bytes) and message[:2] == MAGIC and message[3:4] == bytes([BUNDLE])


def _starts(bundle: bytes) -> list[int]:
    """Return where each frame starts, and where the last one ends."""
    if len(bundle) < _HEADER.size:
        raise FrameError(f"a bundle has at least {_HEADER.size} bytes, this one has {len(bundle)}")
    _, version, _, count = _HEADER.unpack_from(bundle)
    if version != limits.FRAME_VERSION:
        raise FrameVersionError(version)
    if not 1 <= count <= limits.BUNDLE_FRAMES:
        raise FrameError(f"a bundle has 1 to {limits.BUNDLE_FRAMES} frames, this one says {count}")
    first = _HEADER.size + 4 * count
    if len(bundle) < first:
        raise FrameError(
            f"a bundle of {count} frames has at least {first} bytes, this one has {len(bundle)}"
        )
    lengths = struct.unpack_from(f"<{count}I", bundle, _HEADER.size)
    starts = list(accumulate(lengths, initial=first))
    if len(bundle) != starts[-1]:
        raise FrameError(
            f"a bundle of {count} frames of {sum(lengths)} bytes together has {starts[-1]} bytes, "
            f"this one has {len(bundle)}"
        )
    return starts


def _frame(frame: bytes, number: int) -> Frame:
    if not frame.startswith(MAGIC):
        return _text(frame, number)
    if _is_bundle(frame):
        raise FrameError(f"a bundle holds no bundle, and frame {number} of this one is a bundle")
    return frame


def _text(frame: bytes, number: int) -> str:
    try:
        return frame.decode()
    except UnicodeDecodeError as error:
        raise FrameError(
            f"frame {number} of a bundle is no sample, and no text in UTF-8 ({error.reason})"
        ) from error
