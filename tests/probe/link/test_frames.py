"""The binary frame of a sample, as the server reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradgate.probe.link.frames import PIECE, encode_json, encode_sample
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM, Sample
from gradgate.server.protocol.frames import decode


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
@pytest.mark.parametrize("skipped", [True, False])
def test_the_server_reads_what_was_measured(count: int, skipped: bool) -> None:
    """Every field arrives whatever the number of parameters is, which is padded to eight bytes."""
    states = np.arange(count, dtype=np.uint8) % 8
    norms = np.linspace(0, 1, count, dtype=np.float32)
    values = {GRAD_NORM: norms, GRAD_MAX: norms * 2}
    frame = decode(encode_sample(Sample(2**40, 12.5, states, values, skipped), 2**33))
    assert (frame.seq, frame.step, frame.time, frame.skipped) == (2**33, 2**40, 12.5, skipped)
    np.testing.assert_array_equal(frame.states, states)
    assert set(frame.values) == {GRAD_NORM, GRAD_MAX}
    np.testing.assert_array_equal(frame.values[GRAD_MAX], norms * 2)


def test_json_is_compact_and_has_no_number_that_is_none() -> None:
    """A NaN would be no JSON, and is a fault of who sends it."""
    assert encode_json({"a": [1, None]}) == '{"a":[1,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"a": math.nan})


@pytest.mark.parametrize("wrap", [str, lambda text: [text], lambda text: [text] * (PIECE + 1)])
def test_a_half_of_a_pair_becomes_a_question_mark(wrap: Callable[[str], Any]) -> None:
    """A server takes no text with one, wherever it stands; a whole pair is a character."""
    read = json.loads(encode_json({"a": wrap("ü\ud800\\ud800 🙂"), "\udcff": 1}))
    assert read == {"a": wrap("ü?\\ud800 🙂"), "?": 1}


@pytest.mark.parametrize("length", [0, 1, PIECE, PIECE + 1, 3 * PIECE])
def test_a_long_list_is_written_in_pieces_to_the_same_text(length: int) -> None:
    """One call would hold the interpreter until all is written."""
    rows = [{"name": f"layer.{number}", "shape": [number, 2]} for number in range(length)]
    message = {"type": "table", "parameters": rows, "pair": (1, 2), "none": None}
    assert encode_json(message) == json.dumps(message, separators=(",", ":"))


def test_no_piece_carries_a_nan() -> None:
    """JSON has none."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json({"values": [0.0] * PIECE + [math.nan]})
