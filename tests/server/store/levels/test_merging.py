"""Merging of a run's samples, against the samples themselves."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection, delete, select

from gradgate.server.protocol.history import SeriesRow
from gradgate.server.protocol.states import WORST_FIRST, State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.levels.cover import Range
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.levels.sizes import BLOCK_SAMPLES, EXACT_SAMPLES
from gradgate.server.store.merges import Outdated
from gradgate.server.store.samples import append_samples, read_latest, read_recent
from gradgate.server.store.series import series_rows
from gradgate.server.store.tables import runs, spans
from gradgate.server.store.tracks import read_histories, read_tracks

from .conftest import Record, merge_all, noise, sample

NORM, WEIGHT = Statistic.GRAD_NORM, Statistic.WEIGHT_NORM
FINE, COARSE = 2**-10, 0.004


def spans_of(connection: Connection, run: str, level: int) -> list[tuple[int, int]]:
    """The first sample and the number of samples of each span of a level."""
    query = select(spans.c.first, spans.c.samples).where(spans.c.run == run, spans.c.level == level)
    return [(row.first, row.samples) for row in connection.execute(query.order_by(spans.c.first))]


@pytest.mark.parametrize(
    "commits", [[1] * 1400 + [1000], [1000, 1400], [1, 1300, 1, 1, 1097], [2400]]
)
def test_every_sample_is_what_it_was(
    connection: Connection, record: Record, commits: list[int]
) -> None:
    """Steps and states exactly, values within 0.1 %, and exactly where they are newest."""
    made = record(commits, 3)
    assert merge_all(connection, made.run)
    blocks = [(0, BLOCK_SAMPLES), (BLOCK_SAMPLES, BLOCK_SAMPLES)]
    assert spans_of(connection, made.run, 1) == spans_of(connection, made.run, 2) == blocks
    found = read_histories(connection, made.run, range(3), NORM, None, None)
    exact = len(made.norms) - EXACT_SAMPLES
    for place, history in found.items():
        assert history.steps.tolist() == list(range(2400))
        np.testing.assert_array_equal(history.states, made.states[:, place])
        np.testing.assert_allclose(history.values, made.norms[:, place], rtol=FINE)
        np.testing.assert_array_equal(history.values[exact:], made.norms[exact:, place])
    weights = read_histories(connection, made.run, [1], WEIGHT, None, None)[1]
    np.testing.assert_allclose(weights.values, made.weights[:, 1], rtol=FINE)


def test_small_commits_become_few_spans(connection: Connection, record: Record) -> None:
    """Whatever the rhythm of commits, the newest samples are in few spans, and exact."""
    made = record([1] * 500, 2)
    merge_all(connection, made.run)
    assert len(spans_of(connection, made.run, 0)) < 20
    history = read_histories(connection, made.run, [0], NORM, None, None)[0]
    np.testing.assert_array_equal(history.values, made.norms[:, 0])
    recent = read_recent(connection, made.run, 2, 200)
    np.testing.assert_array_equal(recent.values, made.norms[-200:])


@pytest.mark.parametrize("width", [2, 130])
def test_the_pyramid_loses_no_extreme_and_no_state(
    connection: Connection, record: Record, width: int
) -> None:
    """Each bucket's last, least and greatest value and worst state are those of its samples."""
    made = record([1000] * 17 + [500], width)
    merge_all(connection, made.run)
    assert spans_of(connection, made.run, 3) == [(0, 4 * 4096)]
    track = read_tracks(connection, made.run, [width - 1], NORM, Range(), 50)[width - 1]
    norms, states = made.norms[:, -1], made.states[:, -1]
    assert len(track.steps) < 2000
    assert track.steps[-1] == 17_499
    assert track.sizes.sum() == 17_500
    start = 0
    for place, size in enumerate(track.sizes.tolist()):
        part = norms[start : start + size]
        assert track.first_steps[place] == start
        finite = np.where(np.isfinite(part), part, np.nan)
        np.testing.assert_allclose(track.last[place], part[-1], rtol=COARSE)
        np.testing.assert_allclose(track.high[place], np.fmax.reduce(finite), rtol=COARSE)
        np.testing.assert_allclose(track.low[place], np.fmin.reduce(finite), rtol=COARSE)
        worst = min((State(code) for code in states[start : start + size]), key=WORST_FIRST.index)
        assert track.states[place] == worst
        assert track.measured[place] == (~np.isnan(part)).sum()
        start += size
    assert start == 17_500


def test_what_is_measured_in_turn_has_its_last_value(
    connection: Connection, record: Record
) -> None:
    """Not that of a bucket's last sample, which had other parameters."""
    made = record([1000] * 5, 3)
    merge_all(connection, made.run)
    track = read_tracks(connection, made.run, [0], WEIGHT, Range(), 10)[0]
    assert not np.isnan(track.last[:64]).any()
    np.testing.assert_allclose(track.last[0], made.weights[63, 0], rtol=COARSE)
    latest = read_latest(connection, made.run, 3)
    np.testing.assert_array_equal(latest.weight_norm, np.nanmax(made.weights[-3:], axis=0))


def test_what_each_tenth_sample_has_is_in_every_bucket(
    connection: Connection, record: Record
) -> None:
    """The last value of a bucket is the last that was measured in it."""
    made = record([1000] * 5, 3)
    merge_all(connection, made.run)
    for points in (10, 2000):
        (row,) = series_rows(connection, made.run, ["p0"], "grad_max", None, None, points)
        assert isinstance(row, SeriesRow)
        assert row.samples == 500 - np.isnan(made.norms[::10, 0]).sum()
        assert sum(value is None for value in row.values) < 0.05 * len(row.values)
        assert row.values[-1] == pytest.approx(float(made.norms[4990, 0] / 2), rel=COARSE)


def test_a_range_is_read_from_the_level_that_suits_it(
    connection: Connection, record: Record
) -> None:
    """Sample by sample where few are asked for, and never without a step of the range."""
    made = record([1000] * 18, 2)
    merge_all(connection, made.run)
    track = read_tracks(connection, made.run, [0], NORM, Range(5000, 5100), 600)[0]
    assert track.steps.tolist() == list(range(5000, 5101))
    track = read_tracks(connection, made.run, [0], NORM, Range(1000, 9000), 100)[0]
    assert track.steps[0] - 64 < 1000 <= track.steps[0]
    assert track.steps[-1] >= 9000 > track.steps[-2]
    assert read_tracks(connection, made.run, [0], NORM, Range(9, 3), 100)[0].steps.tolist() == []
    assert read_tracks(connection, made.run, [0], NORM, Range(10**9), 100)[0].steps.tolist() == []


@pytest.mark.parametrize("samples", [497, 6000])
def test_buckets_of_a_series_follow_each_other_from_the_first_step(
    connection: Connection, record: Record, samples: int
) -> None:
    """However many are asked for, and whichever level they come from."""
    made = record([samples], 2)
    merge_all(connection, made.run)
    for points in (1, 64, 100, 237, 496, 640, 1190):
        (row,) = series_rows(connection, made.run, ["p0"], "grad_norm", None, None, points)
        assert isinstance(row, SeriesRow)
        assert row.first_steps == [0, *(step + 1 for step in row.steps[:-1])]
        assert row.steps[-1] == samples - 1


def test_what_is_kept_no_longer_is_read_from_above(connection: Connection, record: Record) -> None:
    """Where the oldest blocks are gone, the buckets of the level above stand for them."""
    made = record([1000] * 6, 2)
    merge_all(connection, made.run)
    connection.execute(delete(spans).where(spans.c.level == 1, spans.c.first < 1024))
    track = read_tracks(connection, made.run, [0], NORM, Range(), 6000)[0]
    assert track.sizes.tolist() == [64] * 16 + [1] * (6000 - 1024)
    assert track.steps[:2].tolist() == [63, 127]


def test_a_parameter_that_came_later_was_not_measured_before(
    connection: Connection, record: Record
) -> None:
    """In blocks and in the pyramid, and what came before keeps its states."""
    made = record([4000], 2)
    wide = noise(made.run, 2000, 3)
    append_samples(connection, made.run, 4000, [sample(wide, place) for place in range(2000)])
    merge_all(connection, made.run)
    track = read_tracks(connection, made.run, [2], NORM, Range(), 10)[2]
    assert set(track.states[:62].tolist()) == {State.UNMEASURED}
    assert np.isnan(track.last[:62]).all()
    assert track.measured[62] > 0
    assert State.UNMEASURED not in track.states[62:]


def test_a_merge_of_what_has_changed_is_not_done(connection: Connection, record: Record) -> None:
    """What another server has merged in between is not merged twice."""
    made = record([700] * 2, 2)
    merge = next_merge(connection, made.run)
    assert merge is not None
    merge.apply(connection)
    with pytest.raises(Outdated, match="0 of 2 spans"):
        merge.apply(connection)


def test_nothing_is_added_to_a_run_that_is_deleted(connection: Connection, record: Record) -> None:
    """A merge that was computed before comes too late."""
    made = record([700] * 2, 2)
    merge = next_merge(connection, made.run)
    assert merge is not None
    connection.execute(delete(runs).where(runs.c.id == made.run))
    with pytest.raises(Outdated, match="is deleted"):
        merge.apply(connection)
    assert spans_of(connection, made.run, 1) == []
