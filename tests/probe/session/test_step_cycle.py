"""Around an optimizer's step: what only looks keeps nothing from its end."""

from __future__ import annotations

import pytest
import torch

from gradgate import probe
from gradgate.probe.progress.progress import Progress
from tests.support.asking import critic, loss_of


@pytest.mark.parametrize("part", ["before_step", "stepped", "after_step"])
def test_a_step_ends_though_a_look_at_it_fails(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So commands take effect, and the log has the fault."""

    def fail(*_: object) -> None:
        raise RuntimeError("no look")

    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    monkeypatch.setattr(Progress, part, fail)
    model = critic()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        loss_of(model).backward()
        run.freeze("0")
        optimizer.step()
        assert not model[0].weight.requires_grad
        assert run.parameters()[0].step == 1
