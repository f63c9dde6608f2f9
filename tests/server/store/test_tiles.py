"""Packing of samples into tiles, against the samples themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.statistics import STATES_CODE
from gradgate.server.store.tiles import (
    BLOCK,
    axis_of,
    block_of,
    pack_axis,
    pack_tiles,
    unpack_axis,
    unpack_states,
    unpack_values,
)


@st.composite
def batches(draw: st.DrawFn) -> list[Sample]:
    """Samples whose table grows and whose statistics come and go."""
    widths = sorted(draw(st.lists(st.integers(0, 2 * BLOCK + 3), min_size=1, max_size=5)))
    noise = np.random.default_rng(draw(st.integers(0, 2**32)))
    samples = []
    for place, width in enumerate(widths):
        codes = draw(st.sets(st.sampled_from([1, 2, 77])))
        values = {code: noise.lognormal(size=width).astype(np.float32) for code in sorted(codes)}
        for row in values.values():
            row[noise.random(width) < 0.2] = np.nan
            row[noise.random(width) < 0.1] = np.inf
        states = noise.integers(0, 8, width, np.uint8)
        samples.append(Sample(place + 1, place * 10, place / 3, place % 2 == 0, states, values))
    return samples


@settings(max_examples=60, deadline=None)
@given(batches())
def test_tiles_unpack_to_the_samples(samples: list[Sample]) -> None:
    """Every state and value of every sample is found in its tile, and what is missing is NaN."""
    count = len(samples)
    tiles = {(tile.statistic, tile.block): tile for tile in pack_tiles(samples)}
    width = max(len(sample.states) for sample in samples)
    codes = {code for sample in samples for code in sample.values}
    assert {code for code, _ in tiles} <= ({STATES_CODE, *codes} if width else set())
    for (code, _), tile in tiles.items():
        if code != STATES_CODE:
            assert not np.isnan(unpack_values(tile.data, count, tile.width)).all()
    for row, sample in enumerate(samples):
        for parameter in range(width):
            block, column = block_of(parameter)
            there = parameter < len(sample.states)
            tile = tiles[STATES_CODE, block]
            state = unpack_states(tile.data, count, tile.width)[row, column]
            assert state == (sample.states[parameter] if there else 0)
        for code in codes:
            found = np.full(width, np.nan, np.float32)
            for block in range(-(-width // BLOCK)):
                # A block without any value has no tile.
                if (code, block) in tiles:
                    tile = tiles[code, block]
                    numbers = unpack_values(tile.data, count, tile.width)[row]
                    found[block * BLOCK : block * BLOCK + tile.width] = numbers
            wanted = np.full(width, np.nan, np.float32)
            if code in sample.values:
                wanted[: len(sample.states)] = sample.values[code]
            np.testing.assert_array_equal(found, wanted)


@settings(max_examples=30, deadline=None)
@given(batches())
def test_the_axis_unpacks_to_steps_times_and_flags(samples: list[Sample]) -> None:
    """The axis of a span gives back each sample's step, time and skipped flag."""
    axis = unpack_axis(pack_axis(axis_of(samples)), len(samples))
    assert axis.steps.tolist() == [sample.step for sample in samples]
    assert axis.times.tolist() == [sample.time for sample in samples]
    assert axis.skipped.tolist() == [sample.skipped for sample in samples]


def test_a_steady_run_compresses() -> None:
    """States that never change and norms that change little take less room than raw."""
    noise = np.random.default_rng(0)
    norms = noise.lognormal(size=200)
    samples = [
        Sample(
            step,
            step,
            float(step),
            False,
            np.ones(200, np.uint8),
            {1: (norms * (1 + noise.normal(size=200) / 100)).astype(np.float32)},
        )
        for step in range(1, 101)
    ]
    packed = sum(len(tile.data) for tile in pack_tiles(samples))
    assert packed < 0.75 * 100 * 200 * 5
