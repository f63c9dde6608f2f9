"""A walk through samples whose run goes away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete

from gradgate.server.export.selection import selection
from gradgate.server.export.walk import walk
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.refusals import UnknownRun
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import runs, spans
from tests.support.probing import hello


def test_a_run_that_is_deleted_meanwhile_ends_the_walk(tmp_path: Path, run: str) -> None:
    """What was read so far must not pass for all."""
    store = Store(tmp_path)
    states = np.ones(2, np.uint8)
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
        rows = [Sample(step, step, 0.0, False, states, {}) for step in range(1, 1501)]
        append_samples(connection, run, 0, rows)
    with store.read() as connection:
        chosen = selection(connection, run)
    parts = walk(store, chosen, [Statistic.GRAD_NORM])
    assert len(next(parts).axis.steps) == 1024
    with store.write() as connection:
        connection.execute(delete(spans))
        connection.execute(delete(runs))
    with pytest.raises(UnknownRun, match="There is no run"):
        next(parts)
    store.close()
