"""Samples of models that grow while they train."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from tests.support import zoo
from tests.support.growing import (
    Frugal,
    adam,
    add_adapter,
    assert_measured,
    by_name,
    plain,
    train,
)


@pytest.mark.parametrize("every", [1, 3])
def test_adapters_on_a_frozen_base(every: int) -> None:
    """The base's parameters keep their indexes, and the adapter is measured from the start."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=every) as run:
        for step in range(1, 4):
            train(model, optimizer, step=step)
        before = [info.name for info in run.parameters()]
        add_adapter(model, optimizer)
        for step in range(4, 7):
            applied = train(model, optimizer, step=step)
        names = [info.name for info in run.parameters()]
        assert names == [
            *(name.replace("head.", "head.base_layer.") for name in before),
            "head.lora_A.weight",
            "head.lora_B.weight",
        ]
        assert_measured(run, applied)
        rows = by_name(run)
        assert rows["head.base_layer.weight"].state == "frozen"
        assert rows["head.lora_A.weight"].in_optimizer
        assert rows["head.lora_A.weight"].shape == (2, 16)


def test_training_is_the_same_with_and_without_the_probe() -> None:
    """Adapters trained under the probe end bitwise where they end without it."""
    results = []
    for attached in (False, True):
        model = plain()
        optimizer = adam(model)
        run = probe.attach(model, optimizer, server=False, every=1) if attached else None
        for step in range(1, 9):
            if step == 4:
                add_adapter(model, optimizer)
            train(model, optimizer, step=step)
        if run is not None:
            run.detach()
        results.append(zoo.weights(model))
    assert results[0] == results[1]


def test_the_first_sample_covers_what_was_added_before_its_forward() -> None:
    """A parameter in a new group is measured where the optimizer's others are, from the start."""
    model = plain()
    optimizer = Frugal(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        train(model, optimizer, step=2)
        add_adapter(model, optimizer)
        applied = train(model, optimizer, step=3)
        assert "head.lora_A.weight" in applied
        assert_measured(run, applied)


def test_adapters_under_a_loss_scale() -> None:
    """A fused optimizer's new group has unscaled norms at once."""
    model = plain()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 4):
            if step == 3:
                add_adapter(model, optimizer)
            optimizer.zero_grad()
            scaler.scale(zoo.loss_of(model, step)).backward()
            applied = {n: p.grad / 64 for n, p in model.named_parameters() if p.grad is not None}
            scaler.step(optimizer)
            scaler.update()
        assert "head.lora_A.weight" in applied
        assert_measured(run, applied)


def test_without_an_optimizer() -> None:
    """Under run.step() too, the sample of its first step covers a new parameter."""
    model = plain()
    with probe.attach(model, server=False, every=1) as run:
        zoo.loss_of(model, 1).backward()
        run.step()
        model.zero_grad()
        model.head = nn.Sequential(model.head, nn.Linear(3, 3))
        zoo.loss_of(model, 2).backward()
        applied = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        run.step()
        assert "head.1.weight" in applied
        assert_measured(run, applied)


@pytest.mark.parametrize("persisting", [False, True])
def test_an_added_gradient_that_is_left_over_is_stale(persisting: bool) -> None:
    """Whether a backward wrote it is told for a new parameter as for the others."""
    model = plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 5):
            optimizer.zero_grad(set_to_none=not persisting)
            zoo.loss_of(model, step).backward()
            optimizer.step()
        model.scale = nn.Parameter(torch.ones(3))
        optimizer.add_param_group({"params": [model.scale]})
        for step, (used, state) in enumerate(
            [(True, "present"), (False, "stale"), (True, "present"), (False, "stale")]
        ):
            if persisting:
                optimizer.zero_grad(set_to_none=False)
            loss = zoo.loss_of(model, step)
            (loss + model.scale.sum() if used else loss).backward()
            optimizer.step()
            assert by_name(run)["scale"].state == state, step


def test_hooks_of_a_replaced_parameter_are_removed() -> None:
    """Where gradients persist every parameter has a hook; one that left has none."""
    model = plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1):
        for step in range(1, 5):
            optimizer.zero_grad(set_to_none=False)
            zoo.loss_of(model, step).backward()
            optimizer.step()
        old = model.head.weight
        assert old._post_accumulate_grad_hooks
        model.head = nn.Linear(16, 3)
        optimizer.zero_grad(set_to_none=False)
        zoo.loss_of(model, 5).backward()
        optimizer.step()
        assert not old._post_accumulate_grad_hooks
