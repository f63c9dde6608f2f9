"""What a freeze saves and costs, as the run reports it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, deep, reports_of, train_on
from tests.support.zoo import loss_of


def test_a_freeze_reports_what_it_saved_and_a_thaw_what_it_costs() -> None:
    """Backward's seconds before and after, from the job's own steps, with the gradients' bytes."""
    model, optimizer = deep()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        inputs = torch.randn(64, 256)
        train_on(model, optimizer, inputs, 10)
        run.freeze("0.*")
        train_on(model, optimizer, inputs, 15)
        run.thaw("0.*")
        train_on(model, optimizer, inputs, 15)
    saved = [report for report in reports if report.saved is not None]
    assert [report.state.value for report in saved] == ["verified", "verified"]
    frozen, thawed = (report.saved for report in saved)
    numbers = sum(parameter.numel() for parameter in model[0].parameters())
    assert frozen["gradient_bytes"] == 4 * numbers == -thawed["gradient_bytes"]
    assert frozen["backward_after"] < 0.6 * frozen["backward_before"]
    assert thawed["backward_before"] < 0.6 * thawed["backward_after"]
    assert frozen["steps"] == 10


def test_a_no_grad_freeze_in_python_reports_the_gradients_that_it_freed() -> None:
    """Its parameters are frozen a step before the mode is taken, and that counts."""
    model, optimizer = deep()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        inputs = torch.randn(64, 256)
        train_on(model, optimizer, inputs, 10)
        run.freeze("0", mode="no_grad")
        train_on(model, optimizer, inputs, 20)
    (saved,) = [report.saved for report in reports if report.saved is not None]
    assert saved["gradient_bytes"] == 4 * sum(p.numel() for p in model[0].parameters())


def test_a_thaw_with_optimizers_inside_the_backward_says_what_was_trained() -> None:
    """Their gradients are gone at the boundary; that they were written tells of them."""
    model, _ = chain()
    optimizers = {parameter: SGD([parameter], lr=0.1) for parameter in model.parameters()}

    def step(parameter: Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    with probe.attach(model, list(optimizers.values()), server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem")
        for number in range(1, 4):
            loss_of(model, number).backward()
        run.thaw("stem")
        for number in range(4, 7):
            loss_of(model, number).backward()
    assert reports[-1].state.value == "verified"
    assert reports[-1].detail.startswith("2 of 2 had a gradient")


def test_an_optimizer_per_parameter_looks_at_its_own_parameter_only() -> None:
    """All frozen ones at each of their steps would be quadratic."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        read: list[int] = []

        class Counting(list[nn.Parameter]):
            def __getitem__(self, index: Any) -> Any:
                read.append(index)
                return super().__getitem__(index)

        freezer = job_of(run).freezer
        job_of(run).table.parameters = Counting(job_of(run).table.parameters)
        model.stem.weight.grad = torch.ones_like(model.stem.weight)
        freezer.clear_gradients([0])
        assert read == [0]
        assert model.stem.weight.grad is None
