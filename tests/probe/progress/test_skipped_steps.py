"""Steps that a gradient scaler skips."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD

from gradgate.probe.base.states import State
from gradgate.probe.progress.skipped_steps import SkippedSteps
from tests.support.samples import sample


def test_enough_of_them_in_a_row_are_an_alert_of_the_run() -> None:
    """One that is applied ends it."""
    skipped = SkippedSteps(3)
    for step in (5, 6, 7):
        assert list(skipped.find(last=False)) == []
        skipped.receive([sample(step, State.NONFINITE, skipped=True)])
    (alert,) = skipped.find(last=False)
    assert (alert.parameter, alert.since_step, alert.cause) == (None, 5, "not_moving")
    assert "last 3 steps" in str(alert.detail)
    skipped.receive([sample(8, State.PRESENT)])
    assert list(skipped.find(last=False)) == []
    skipped.receive([sample(9, State.NONFINITE, skipped=True)])
    assert list(skipped.find(last=False)) == []


@pytest.mark.parametrize(("fused", "told"), [(False, 0), (True, 1)])
def test_steps_between_that_were_not_sampled_count(fused: bool, told: int) -> None:
    """They were applied, but for those of a fused optimizer under a scaler, which may not be."""
    skipped = SkippedSteps(3)
    optimizer = SGD(nn.Linear(2, 2).parameters())
    if fused:
        optimizer.found_inf = torch.ones(1)  # type: ignore[attr-defined]
    for step in (2, 4, 6):
        skipped.begin_step(optimizer)
        skipped.receive([sample(step, State.NONFINITE, skipped=True)])
    assert len(list(skipped.find(last=False))) == told
