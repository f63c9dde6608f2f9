"""The band of samples that one live frame stands for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradgate.server.live.band import Band
from gradgate.server.protocol.frames import Sample, decode, encode
from gradgate.server.protocol.statistics import Statistic

rows = st.lists(st.lists(st.floats(0, 100, width=32), min_size=3, max_size=3), min_size=1)


def make_sample(step: int, norms: list[float], largest: list[float] | None = None) -> Sample:
    """A sample of gradient norms."""
    values = {Statistic.GRAD_NORM: np.array(norms, np.float32)}
    if largest is not None:
        values[Statistic.GRAD_MAX] = np.array(largest, np.float32)
    return Sample(step, step, float(step), False, np.ones(len(norms), np.uint8), dict(values))


@given(rows, st.data())
def test_a_band_covers_every_sample(norms: list[list[float]], data: st.DataObject) -> None:
    """However samples are joined into bands, the range and the count are those of all of them."""
    bands = [Band.of(make_sample(step, row)) for step, row in enumerate(norms, 1)]
    while len(bands) > 1:
        place = data.draw(st.integers(0, len(bands) - 2))
        bands[place : place + 2] = [bands[place].then(bands[place + 1])]
    frame = decode(encode(bands[0].sample()))
    assert (frame.seq, frame.step) == (len(norms), len(norms))
    np.testing.assert_array_equal(frame.values[1], np.float32(norms[-1]))
    np.testing.assert_array_equal(frame.values[129], np.float32(norms).min(axis=0))
    np.testing.assert_array_equal(frame.values[130], np.float32(norms).max(axis=0))


def test_a_band_keeps_the_latest_maximum_and_a_grown_table() -> None:
    """`grad_max` is that of the last sample that had it, and new parameters start with NaN."""
    band = Band.of(make_sample(1, [1, 2], [5, 6])).then(Band.of(make_sample(2, [3, 1, 9])))
    values = band.sample().values
    np.testing.assert_array_equal(values[2], np.array([5, 6, np.nan], np.float32))
    np.testing.assert_array_equal(values[129], np.array([1, 1, 9], np.float32))
    np.testing.assert_array_equal(values[130], np.array([3, 2, 9], np.float32))


def test_a_band_has_of_each_parameter_the_latest_movement() -> None:
    """Each sample has that of a share of them only; one before the first look has none."""

    def with_ratios(step: int, ratios: list[float]) -> Sample:
        made = make_sample(step, [1.0] * len(ratios))
        made.values[Statistic.UPDATE_RATIO] = np.array(ratios, np.float32)
        return made

    nan = np.nan
    samples = [make_sample(1, [1, 2]), with_ratios(2, [5, 6]), with_ratios(3, [nan, 7, nan])]
    band = Band.of(samples[0])
    for each in samples[1:]:
        band = band.then(Band.of(each))
    values = band.sample().values
    np.testing.assert_array_equal(values[Statistic.UPDATE_RATIO], np.float32([5, 7, nan]))
    assert Statistic.WEIGHT_NORM not in values
