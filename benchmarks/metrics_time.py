"""What answering with a range of a metric costs the server, whatever the length of the run.

A metric is logged as the probe logs the total gradient norm of every step, 1,000 steps a frame, and
merged as the server would. Then the whole of it, and random ranges of a hundredth, are asked for in
800 points, as JSON. The figures are the processor's time of one answer at 95 %, and the bytes that
the store takes for a value, levels included.

Usage: python benchmarks/metrics_time.py [--steps N ...] [--answers N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from histories import greeting
from sqlalchemy import select

from gradgate.server.protocol.totals import TOTAL_GRAD_NORM, Totals
from gradgate.server.store.database import Store
from gradgate.server.store.metrics.merging import next_metric_merge
from gradgate.server.store.metrics.rows import metric_rows
from gradgate.server.store.metrics.sizes import BLOCK
from gradgate.server.store.metrics.values import append_metrics
from gradgate.server.store.retention import stored_bytes
from gradgate.server.store.runs import open_run
from gradgate.server.store.step_range import StepRange
from gradgate.server.store.tables import metric_blocks

RUN = "0" * 16
FRAME = 1000
POINTS = 800


def main() -> None:
    """Record each run, and print what its answers cost."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--answers", type=int, default=100)
    given = options.parse_args()
    for steps in given.steps:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            record(store, steps)
            report(store, steps, given.answers)
            store.close()


def record(store: Store, steps: int) -> None:
    """Log a norm at each step, and merge what there is to merge."""
    random = np.random.default_rng(0)
    with store.write() as connection:
        open_run(connection, greeting(RUN, 1), time.time())
    for first in range(0, steps, FRAME):
        here = range(first, min(first + FRAME, steps))
        norms = np.float32(2.5 * np.exp(random.normal(0, 0.3, len(here)))).tolist()
        frame = Totals(
            type="totals",
            seq=first + 1,
            time=float(first),
            steps=list(here),
            norms=norms,
            flags=[0] * len(here),
        )
        with store.write() as connection:
            append_metrics(connection, RUN, [frame])
        with store.read() as connection:
            merge = next_metric_merge(connection, RUN)
        if merge is not None:
            with store.write() as connection:
                merge.apply(connection)


def report(store: Store, steps: int, answers: int) -> None:
    """Print the time of answers, and the size of what is merged."""
    random = np.random.default_rng(1)
    width = max(1, steps // 100)
    firsts = random.integers(0, steps - width + 1, answers).tolist()
    whole = cost(store, [StepRange()] * answers)
    parts = cost(store, [StepRange(first, first + width - 1) for first in firsts])
    with store.read() as connection:
        merged = connection.execute(select(metric_blocks.c.first)).all()
        size = stored_bytes(connection, RUN)
    values = max((row.first + BLOCK for row in merged), default=0)
    print(
        f"{steps:,} steps: the whole in {whole:.1f} ms, a hundredth in {parts:.1f} ms of the "
        f"processor; {size / values if values else 0:.2f} bytes a value",
        flush=True,
    )


def cost(store: Store, ranges: list[StepRange]) -> float:
    """Return the milliseconds of the processor that an answer takes, at 95 %."""
    taken = []
    for steps in ranges:
        begun = time.process_time()
        with store.read() as connection:
            rows = metric_rows(connection, RUN, [TOTAL_GRAD_NORM], steps, POINTS)
        rows.model_dump_json()
        taken.append(1000 * (time.process_time() - begun))
    return float(np.percentile(taken, 95))


if __name__ == "__main__":
    main()
