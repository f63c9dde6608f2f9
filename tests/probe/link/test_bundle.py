"""Which frames are gathered in one message."""

from __future__ import annotations

import struct

import pytest

from gradgate.probe.link.bundle import BUNDLE_BYTES, BUNDLE_FRAMES, bundled, encode_bundle
from gradgate.probe.link.entry import Entry, Frame


def entries(*frames: Frame) -> list[Entry]:
    """Entries that are numbered from 1."""
    return [Entry(seq, frame) for seq, frame in enumerate(frames, start=1)]


def shape(waiting: list[Entry]) -> list[tuple[int, int]]:
    """Of each message how many frames it holds, and the number of its last."""
    return [(_count(message), last.seq) for message, last in bundled(waiting)]


def _count(message: Frame) -> int:
    if isinstance(message, bytes) and message.startswith(b"GG\1\2"):
        count: int = struct.unpack_from("<I", message, 4)[0]
        return count
    return 1


def test_the_layout_is_that_of_the_protocol() -> None:
    """Head, number, lengths and frames are where docs/protocol.md has them."""
    head = b"GG\1\2" + b"\2\0\0\0" + b"\4\0\0\0" + b"\3\0\0\0"
    assert encode_bundle(['"é"', b"GG\1"]) == head + '"é"'.encode() + b"GG\1"


def test_nothing_makes_no_message() -> None:
    """Without frames nothing is sent."""
    assert shape([]) == []


@pytest.mark.parametrize("frame", ["{}", b"GG\1\1"])
def test_a_frame_by_itself_is_sent_as_it_is(frame: Frame) -> None:
    """One frame needs no bundle around it."""
    assert list(bundled(entries(frame))) == [(frame, Entry(1, frame))]


def test_what_waits_goes_into_one_message() -> None:
    """Text and binary frames travel together, and the last of them is told."""
    assert shape(entries("{}", b"GG\1\1", "{}")) == [(3, 3)]


def test_a_bundle_stays_within_its_bytes() -> None:
    """A frame that does not fit begins the next message."""
    half = b"x" * (BUNDLE_BYTES // 2)
    assert shape(entries(half, half, "{}", half)) == [(2, 2), (2, 4)]


def test_a_large_frame_travels_alone() -> None:
    """What is larger than a bundle is never held up by it, nor gathers what follows."""
    large = b"x" * (BUNDLE_BYTES + 1)
    assert shape(entries("{}", large, large, "{}", "{}")) == [(1, 1), (1, 2), (1, 3), (2, 5)]


def test_a_bundle_stays_within_its_number() -> None:
    """No more frames than the protocol allows are in one message."""
    many = entries(*["{}"] * (2 * BUNDLE_FRAMES + 1))
    assert shape(many) == [
        (BUNDLE_FRAMES, BUNDLE_FRAMES),
        (BUNDLE_FRAMES, 2 * BUNDLE_FRAMES),
        (1, 2 * BUNDLE_FRAMES + 1),
    ]
