"""What a freeze and a thaw do, by the handlers of their kinds."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from gradgate import probe
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, reports_of, steps, told


def test_a_freeze_says_who_when_and_how() -> None:
    """The record of a freeze has all that the command said."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job_of(run).queue.submit(FreezeCommand("body", "grad", True, by="browser", id=7))
        steps(model, optimizer, 1, 3)
        frozen = {info.name: info.frozen for info in run.parameters()}
        assert frozen["body.0.weight"] == probe.Freeze("browser", "grad", 1, 7, True)
        assert frozen["stem.weight"] is None


def test_a_thaw_resets_the_optimizers_state_if_asked() -> None:
    """Of its own parameters only; without that it stays."""
    model, optimizer = chain(AdamW)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 2)
        run.freeze("head")
        run.thaw("head")
        assert optimizer.state[model.head.weight]
        run.freeze("head")
        run.thaw("head", reset_state=True)
        assert not optimizer.state[model.head.weight]
        assert optimizer.state[model.stem.weight]


def test_a_command_that_undoes_an_unproved_one_supersedes_it() -> None:
    """The earlier one says by what."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        run.thaw("head")
        steps(model, optimizer, 1, 1)
    assert told(reports, 1) == ["applied", "superseded"]
    assert told(reports, 2) == ["applied", "verified"]
    assert reports[1].reason == "a later thaw came before it could be verified"


def test_a_thaw_says_at_once_what_no_optimizer_holds() -> None:
    """A freeze has nothing to say of that."""
    model = nn.Linear(2, 2)
    optimizer = SGD([model.weight], lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("*")
        run.thaw("*")
    details = [report.detail for report in reports if report.state.value == "applied"]
    assert details == [None, "bias is in no optimizer and will not be trained"]


@pytest.mark.parametrize("mode", ["grad", "no_grad"])
def test_a_no_grad_freeze_in_python_is_a_grad_freeze_until_its_trial(mode: str) -> None:
    """So that nothing is trained in between; it counts as applied when its mode is taken."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem", mode=mode)
        before = model.stem.weight.clone()
        assert not model.stem.weight.requires_grad
        assert told(reports, 1) == (["applied"] if mode == "grad" else [])
        assert job_of(run).freezer.records.freezes[0].mode == "grad"
        assert job_of(run).freezer.no_grad.paths == ()
        steps(model, optimizer, 1, 1)
        assert torch.equal(model.stem.weight, before)
        assert "applied" in told(reports, 1)
        record = job_of(run).freezer.records.freezes[0]
        assert (record.mode, record.since_step) == (mode, 0 if mode == "grad" else 1)
