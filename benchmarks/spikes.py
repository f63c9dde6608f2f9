"""Whether one spike of one step among very many is seen at every zoom of series and heat maps.

Usage: python benchmarks/spikes.py [--steps N] [--parameters N]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from histories import SPIKE, record_run
from sqlalchemy import Connection

from gradgate.server.protocol.history import SeriesRow
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.heatmaps.heatmap import read_heatmap
from gradgate.server.store.levels.cover import Range
from gradgate.server.store.series import series_rows

ZOOMS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
POINTS = (1, 10, 100, 600, 4096)


def main() -> None:
    """Record a run with a spike in its first parameter, and look for it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=200_000)
    options.add_argument("--parameters", type=int, default=20)
    given = options.parse_args()
    spike = given.steps * 617 // 1000
    looked = missed = 0
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run = record_run(store, given.steps, given.parameters, 1000, spikes=(spike,))
        with store.read() as connection:
            for width in ZOOMS:
                steps = Range(max(0, spike - width // 3), spike + width // 2)
                for points in POINTS:
                    looked += 2
                    missed += not in_series(connection, run, steps, points)
                    missed += not in_heatmap(connection, run, steps, points, spike)
        store.close()
    print(f"the spike of step {spike} among {given.steps}: looked for {looked} times, ", end="")
    print(f"missed {missed} times")


def in_series(connection: Connection, run: str, steps: Range, points: int) -> bool:
    """Return whether exactly one point of the series has the spike as its greatest value."""
    names = ["layers.0.p0"]
    (row,) = series_rows(connection, run, names, "grad_norm", steps.first, steps.last, points)
    assert isinstance(row, SeriesRow)
    return len([value for value in row.max if value is not None and value > 0.99 * SPIKE]) == 1


def in_heatmap(connection: Connection, run: str, steps: Range, columns: int, spike: int) -> bool:
    """Return whether the column with the spike's step has it, in a row that holds its parameter."""
    found = read_heatmap(
        connection, run, None, Statistic.GRAD_NORM, "max", steps, columns, min(columns, 256)
    )
    here = (found.first_steps <= spike) & (found.last_steps >= spike)
    there = found.values[0] > 0.99 * SPIKE
    return bool(there.any() and np.array_equal(here, there))


if __name__ == "__main__":
    main()
