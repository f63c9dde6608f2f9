"""Tiles of blocks, against what was packed."""

from __future__ import annotations

import numpy as np
import pytest

from gradgate.server.protocol.states import State
from gradgate.server.store.levels.columns import (
    pack_state_columns,
    pack_value_columns,
    unpack_state_columns,
    unpack_value_columns,
)
from gradgate.server.store.levels.rounding import round_nearest


@pytest.mark.parametrize("bits", [9, 22])
@pytest.mark.parametrize("width", [1, 3, 128])
def test_values_come_back_column_by_column(bits: int, width: int) -> None:
    """Exactly as they were packed, whichever columns are asked for."""
    draw = np.random.default_rng(width)
    values = round_nearest(draw.lognormal(0, 5, (512, width)).astype(np.float32), bits)
    values[::5, 0] = np.nan
    values[3, -1] = np.inf
    values[4, -1] = 1e-42
    values[5, -1] = -2
    packed = pack_value_columns(values)
    chosen = [width - 1, 0]
    np.testing.assert_array_equal(unpack_value_columns(packed, 512, chosen), values[:, chosen])
    beyond = unpack_value_columns(packed, 512, [width])
    assert np.isnan(beyond).all()


def test_states_come_back_column_by_column() -> None:
    """And one that never changes takes next to nothing."""
    states = np.full((512, 128), State.PRESENT, np.uint8)
    assert len(pack_state_columns(states)) < 512
    states[:, 5] = State.FROZEN
    states[100:300, 7] = State.NONFINITE
    packed = pack_state_columns(states)
    np.testing.assert_array_equal(unpack_state_columns(packed, 512, range(128)), states)
    assert (unpack_state_columns(packed, 512, [128]) == State.UNMEASURED).all()


def test_a_value_takes_little_more_than_a_byte() -> None:
    """Norms that vary by a third of themselves, rounded as blocks are."""
    draw = np.random.default_rng(0)
    values = np.exp(draw.normal(0, 0.3, (512, 128))).astype(np.float32)
    assert len(pack_value_columns(round_nearest(values, 9))) / values.size < 1.35
