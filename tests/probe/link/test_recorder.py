"""What a run without a server writes into its file."""

from __future__ import annotations

from pathlib import Path

from torch.optim import SGD

from gradgate import probe
from tests.support.steered import chain, steps
from tests.support.waiting import wait_for


def test_what_is_logged_is_in_the_file_soon_though_no_step_follows(tmp_path: Path) -> None:
    """As before an evaluation in which the job is killed."""
    file = tmp_path / "run.gradgate"
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, record=file, every=1000) as run:
        steps(model, optimizer, 1, 3)
        run.log(before_the_evaluation=1.0)
        wait_for(lambda: file.exists() and b"before_the_evaluation" in file.read_bytes())
