"""Gates that there are not cost nothing."""

from __future__ import annotations

import timeit

import torch

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched


def test_without_gates_a_step_costs_microseconds() -> None:
    """With no gate made a step pays microseconds, and a label with no run next to nothing."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer, every=1000) as run:
        job, held = job_of(run), list(range(10))

        def step() -> None:
            job.gates.blocked.clear_gradients(held)
            job.gates.accounting.end_step(1)
            job.gates.blocked.release()
            job.alignment.follow_gates()

        spent = timeit.repeat(step, number=1000, repeat=5)
        assert min(spent) / 1000 < 5e-5
        labelled = torch.ones(3, requires_grad=True)
        passing = timeit.repeat(lambda: probe.site(labelled, "x"), number=1000, repeat=5)
        assert min(passing) / 1000 < 5e-5
    alone = timeit.repeat(lambda: probe.site(labelled, "x"), number=1000, repeat=5)
    assert min(alone) / 1000 < 5e-6
