"""What a report says, of runs that have little to be said of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gradgate.server.export.report.base import Look
from gradgate.server.export.report.page import report_page
from gradgate.server.export.selection import selection
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from tests.support.probing import hello


def test_a_run_without_parameters_has_a_report(tmp_path: Path, run: str) -> None:
    """Without a heat map, though it has samples."""
    store = Store(tmp_path)
    empty = Sample(1, 0, 1.0, False, np.empty(0, np.uint8), {})
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run, [])), 1.0)
        append_samples(connection, run, 0, [empty])
        chosen = selection(connection, run)
    page = report_page(store, chosen, Look("", "", ""))
    assert page.heatmap is None
    assert page.parameters == []
    store.close()
