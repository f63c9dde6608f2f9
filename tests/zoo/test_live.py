"""Every healthy model watched live for some steps: nothing is an alert."""

from __future__ import annotations

import pytest
from torch.optim import Optimizer

from gradgate import probe

from .case import Case
from .cases import HEALTHY

STEPS = 10


@pytest.mark.exhaustive(15)
@pytest.mark.filterwarnings("ignore:Converting a tensor")  # as one model does on purpose
@pytest.mark.parametrize("case", HEALTHY, ids=str)
def test_a_healthy_model_raises_no_alert(case: Case) -> None:
    """While its optimizers step, and each step is looked at."""
    job = case.job()
    optimizers = [job.optimizer] if isinstance(job.optimizer, Optimizer) else job.optimizer or ()
    with probe.attach(job.model, job.optimizer, server=False, every=1) as run:
        for _ in range(STEPS):
            job.closure()
            for optimizer in optimizers:
                optimizer.step()
            if not optimizers:
                run.step()
        assert run.alerts() == []
