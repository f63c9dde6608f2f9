"""The binary sample frame, read and written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradgate.server.protocol.frames import FrameError, FrameVersionError, decode, encode
from tests.support.probing import pack_sample

GOOD = pack_sample(7, 9, [1, 4, 6], {1: [0.5, math.nan, math.nan], 2: [0.25, 1, 2]}, at=12.5)


def test_decode_reads_every_field() -> None:
    """A frame packed by hand from the protocol's table decodes to the same numbers."""
    sample = decode(
        pack_sample(7, 9, [1, 4, 6], {1: [0.5, math.nan, 3], 200: [1, 2, 3]}, at=12.5, skipped=True)
    )
    assert (sample.seq, sample.step, sample.time, sample.skipped) == (7, 9, 12.5, True)
    assert sample.states.tolist() == [1, 4, 6]
    np.testing.assert_array_equal(sample.values[1], np.array([0.5, np.nan, 3], np.float32))
    assert sample.values[200].tolist() == [1, 2, 3]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9])
@pytest.mark.parametrize("codes", [(), (1,), (1, 2), tuple(range(1, 10))])
@pytest.mark.parametrize("skipped", [False, True])
def test_encode_writes_what_decode_reads(n: int, codes: tuple[int, ...], skipped: bool) -> None:
    """Encoding a decoded frame gives the same bytes, whatever the padding."""
    values = {code: [float(code + place) for place in range(n)] for code in codes}
    frame = pack_sample(1, 2, [place % 8 for place in range(n)], values, at=3.0, skipped=skipped)
    assert encode(decode(frame)) == frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "at least 40 bytes"),
        (GOOD[:39], "at least 40 bytes"),
        (b"XX" + GOOD[2:], "starts with b'GG'"),
        (GOOD[:3] + b"\x02" + GOOD[4:], "kind"),
        (GOOD[:-1], "has 80 bytes, this one has 79"),
        (GOOD + b"\0", "has 80 bytes, this one has 81"),
        (GOOD[:32] + (100_001).to_bytes(4, "little") + GOOD[36:], "at most 100000 parameters"),
        (GOOD[:40] + b"\x01\x01" + GOOD[42:], "more than once"),
        (GOOD[:48] + b"\x08" + GOOD[49:], "8 is no state"),
        (GOOD[:8] + b"\xff" * 8 + GOOD[16:], "seq is between"),
        (GOOD[:8] + b"\x00" * 8 + GOOD[16:], "seq is between"),
        (GOOD[:16] + b"\xff" * 8 + GOOD[24:], "a step is below"),
        (pack_sample(1, 1, [], {}, at=math.inf), "finite number of seconds"),
    ],
)
def test_decode_refuses_a_malformed_frame(frame: bytes, message: str) -> None:
    """Anything but exactly the layout is refused with a sentence that names the fault."""
    with pytest.raises(FrameError, match=message):
        decode(frame)


def test_decode_names_another_version() -> None:
    """A frame of another version raises an error that carries that version."""
    with pytest.raises(FrameVersionError, match="version 3") as caught:
        decode(pack_sample(1, 1, [1], {1: [1.0]}, version=3))
    assert caught.value.version == 3
