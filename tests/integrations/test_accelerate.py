"""What the tracker of Accelerate does beside what every stack does."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from gradgate.probe.integrations.accelerate import GradgateTracker

pytestmark = pytest.mark.xdist_group("accelerate_loop")


def test_a_tracker_that_was_not_attached_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """It logs nothing, and training goes on."""
    accelerator = Accelerator(cpu=True, log_with=GradgateTracker(server=False))
    accelerator.init_trackers("tests", config={"rate": 0.1})
    for _ in range(2):
        accelerator.log({"loss": 1.0})
    accelerator.end_training()
    assert caplog.text.count("call tracker.attach(accelerator, model, optimizer)") == 1


def test_several_models_are_watched_by_their_own_names() -> None:
    """A dict of prepared models is unwrapped; the run is the Accelerator's unwrapped tracker."""
    tracker = GradgateTracker(server=False)
    accelerator = Accelerator(cpu=True, log_with=tracker)
    models = {name: nn.Linear(2, 1) for name in ("generator", "critic")}
    prepared = {
        name: accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
        for name, model in models.items()
    }
    accelerator.init_trackers("tests")
    tracker.attach(
        accelerator,
        {name: model for name, (model, _) in prepared.items()},
        [optimizer for _, optimizer in prepared.values()],
    )
    run = accelerator.get_tracker("gradgate", unwrap=True)
    names = {each.name for each in run.parameters()}
    assert names == {f"{name}.{each}" for name in models for each in ("weight", "bias")}
    accelerator.end_training()
    assert tracker.run is None
