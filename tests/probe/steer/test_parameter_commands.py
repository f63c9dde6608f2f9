"""What a freeze and a thaw do, by the handlers of their kinds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, AdamW

from gradgate import probe
from gradgate.probe.freeze import freezer
from gradgate.probe.freeze.anchor import Anchor
from gradgate.probe.freeze.autograd_calls import AutogradCalls
from gradgate.probe.freeze.frozen_statistics import FrozenStatistics
from gradgate.probe.freeze.grad_scaler import ScalerZeros
from gradgate.probe.freeze.no_grad_modules import NoGradModules
from gradgate.probe.freeze.optimizer_state import OptimizerState
from gradgate.probe.freeze.records import FreezeRecords
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.session.run import job_of
from gradgate.probe.steer import verification
from gradgate.probe.steer.verification import Verification
from gradgate.probe.steer.writers import Writers
from tests.support.steered import chain, hook_counts, reports_of, steps, told


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


Fault = tuple[Any, str]

FAULTS: dict[str, Fault] = {
    "records": (FreezeRecords, "_flip"),
    "anchor": (Anchor, "cover"),
    "no_grad": (NoGradModules, "set"),
    "statistics": (FrozenStatistics, "freeze"),
    "statistics again": (FrozenStatistics, "unfreeze"),
    "scaler": (ScalerZeros, "follow"),
    "calls": (AutogradCalls, "follow"),
    "compiled code": (freezer, "forget_compiled_code"),
    "checksums": (verification, "checksums"),
    "writers": (Writers, "watch"),
    "thaw check": (Verification, "watch_thaw"),
    "optimizer state": (OptimizerState, "reset"),
}


def broken_once(patch: pytest.MonkeyPatch, fault: Fault) -> list[str]:
    """Let a function raise, once, after it has done what it does."""
    owner, name = fault
    good, raised = getattr(owner, name), list[str]()

    def function(*args: Any, **kwargs: Any) -> Any:
        done = good(*args, **kwargs)
        if not raised:
            raised.append(name)
            raise RuntimeError("half done")
        return done

    patch.setattr(owner, name, function)
    return raised


def condition(run: probe.Run, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Any]:
    """All that a command about parameters may change."""
    job = job_of(run)
    return [
        [(p.requires_grad, None if p.grad is None else id(p.grad)) for p in model.parameters()],
        hook_counts(model),
        dict(job.freezer.records.freezes),
        job.freezer.no_grad.paths,
        job.freezer.statistics.paths,
        str(optimizer.state_dict()["state"]),
        run.state_dict(),
    ]


@pytest.mark.parametrize("ask", ["freeze", "freeze no_grad", "thaw"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_command_that_raises_part_way_is_not_done_at_all(
    monkeypatch: pytest.MonkeyPatch, fault: str, ask: str
) -> None:
    """Flags, gradients, hooks, statistics and the optimizer's state are as they were before."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(Adagrad)
    steps(model, optimizer, 1, 1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem")
        run.freeze("body.1", mode="no_grad", hold_stats=True)
        steps(model, optimizer, 1, 2)
        reports = reports_of(run)
        with monkeypatch.context() as patch:
            raised = broken_once(patch, FAULTS[fault])
            before = condition(run, model, optimizer)
            refused = None
            try:
                if ask == "thaw":
                    run.thaw("body.1", reset_state=True)
                else:
                    mode = ask.partition(" ")[2] or "grad"
                    run.freeze("head" if mode == "grad" else "body", mode, hold_stats=True)
            except probe.CommandError as error:
                refused = str(error)
                assert condition(run, model, optimizer) == before
                assert reports == []
        assert (refused is not None) == bool(raised)
        if refused is not None:
            assert "half done" in refused
            assert "nothing was done" in refused
        stem = model.stem.weight.clone()
        steps(model, optimizer, 3, 4)
        assert torch.equal(model.stem.weight, stem)
        assert all(report.state.value != "drifted" for report in reports)
        assert job_of(run).guard.faults == len(raised)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(map(any, hook_counts(model)))
