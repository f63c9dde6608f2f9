"""Several frames in one message, as ``docs/protocol.md`` lays it out."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from .entry import Entry, Frame
from .frames import FRAME_VERSION, MAGIC
from .outbox import LARGE

BUNDLE_FRAMES = 1000
"""Frames that a bundle has at most: a limit of the protocol."""
BUNDLE_BYTES = LARGE
"""Bytes of frames that are gathered.

Over a line so slow that it breaks before it has carried more than this, none would ever arrive."""

_KIND_BUNDLE = 2


def bundled(entries: Iterable[Entry]) -> Iterator[tuple[Frame, Entry]]:
    """Yield the messages that carry these entries, in their order, each with the last it carries.

    Frames are gathered up to ``BUNDLE_BYTES``; a larger one, or one by itself, is sent as it is.
    """
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.frame)
        if batch and (size + length > BUNDLE_BYTES or len(batch) == BUNDLE_FRAMES):
            yield _message(batch), batch[-1]
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield _message(batch), batch[-1]


def encode_bundle(frames: Sequence[Frame]) -> bytes:
    """Pack frames into one binary message."""
    payloads = [frame.encode() if isinstance(frame, str) else frame for frame in frames]
    count = len(payloads)
    lengths = map(len, payloads)
    header = struct.pack(f"<2sBBI{count}I", MAGIC, FRAME_VERSION, _KIND_BUNDLE, count, *lengths)
    return b"".join((header, *payloads))


def _message(batch: Sequence[Entry]) -> Frame:
    return batch[0].frame if len(batch) == 1 else encode_bundle([entry.frame for entry in batch])
