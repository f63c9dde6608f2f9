"""How many bytes the store takes for a value, whatever the rhythm of commits.

A made-up run (`benchmarks/histories.py`) is recorded in commits of 1, 10 and 1,000 samples each,
with and without the levels. A value is the gradient norm of a parameter at a step, with its state;
frozen parameters have none, and their states come on top. The size is that of the whole file,
levels, indexes, steps and times included.

Usage: python benchmarks/store_size.py [--samples N] [--parameters N ...] [--commits N ...]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from histories import made_up, record_run

from gradgate.server.store.database import Store


def main() -> None:
    """Record each run, and print the bytes a value."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--samples", type=int, default=100_000)
    options.add_argument("--parameters", type=int, nargs="+", default=[100])
    options.add_argument("--commits", type=int, nargs="+", default=[1, 10, 1000])
    options.add_argument("--without", action="store_true", help="without the levels too")
    given = options.parse_args()
    for parameters in given.parameters:
        values = measured(given.samples, parameters)
        for commit in given.commits:
            for merged in (True, False) if given.without else (True,):
                size = stored(given.samples, parameters, commit, merged)
                print(
                    f"{parameters} parameters, {given.samples} samples, {commit} a commit, "
                    f"{'with' if merged else 'without'} levels: {size / values:.2f} bytes a value "
                    f"({size / 1e6:.1f} MB)",
                    flush=True,
                )


def measured(samples: int, parameters: int) -> int:
    """Return how many values a made-up run has."""
    first = next(made_up(1, parameters))
    return samples * int((~np.isnan(first.values[1])).sum())


def stored(samples: int, parameters: int, commit: int, merged: bool) -> int:
    """Return the bytes of a store that holds one run and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        record_run(store, samples, parameters, commit, merged)
        store.close()
        return sum(file.stat().st_size for file in Path(folder).iterdir())


if __name__ == "__main__":
    main()
