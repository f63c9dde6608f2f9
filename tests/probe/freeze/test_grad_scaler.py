"""A GradScaler whose optimizer has nothing to do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.grad_scaler import LossScale
from tests.support.steered import chain
from tests.support.zoo import loss_of, weights


@pytest.mark.parametrize("clear", ["optimizer", "model"])
def test_a_scaler_steps_an_optimizer_whose_parameters_are_all_frozen(clear: str) -> None:
    """GradScaler.step finds what it looks for, and nothing moves."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*")
        before = weights(model)
        for step in range(1, 4):
            optimizer.zero_grad() if clear == "optimizer" else model.zero_grad()
            scaler.scale(loss_of(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
        assert weights(model) == before
        assert not optimizer.state
        assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("made", ["before", "after"])
def test_a_scaler_goes_on_whoever_froze_the_smallest_and_whenever_it_was_made(made: str) -> None:
    """The script froze one bias, a command the rest; the scaler may come after the freeze."""
    model, optimizer = chain()
    model.head.bias.requires_grad_(False)
    scaler = torch.amp.GradScaler("cpu") if made == "before" else None
    with probe.attach(model, optimizer, server=False) as run:
        for name in [info.name for info in run.parameters() if info.name != "head.bias"]:
            run.freeze(name)
        before = weights(model)
        scaler = scaler or torch.amp.GradScaler("cpu")
        for step in range(1, 4):
            optimizer.zero_grad()
            scaler.scale(loss_of(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
        assert weights(model) == before


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("made", [2, 3, 4, 6])
def test_a_scaler_may_be_made_long_after_everything_was_frozen(made: int, fused: bool) -> None:
    """In whatever step, and also where the script takes the scale out itself."""
    model, _ = chain()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        before = weights(model)
        for step in range(1, 9):
            if step == made:
                scaler = torch.amp.GradScaler("cpu")
            optimizer.zero_grad()
            if step < made:
                loss_of(model, step).backward()
                optimizer.step()
                continue
            scaler.scale(loss_of(model, step)).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        assert weights(model) == before
        assert all(parameter.grad is None for parameter in model.parameters())


def test_the_optimizer_never_sees_the_zeros_that_the_scaler_looks_at() -> None:
    """One that is not attached would decay its weights by them."""
    model, attached = chain()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, attached, server=False) as run:
        run.freeze("*")
        before = weights(model)
        scaler.scale(loss_of(model, 1)).backward()
        scaler.step(optimizer)
        scaler.update()
        assert weights(model) == before


def test_the_zeros_are_of_a_kind_that_the_scaler_looks_at() -> None:
    """It refuses gradients in half precision; the smallest parameter is in that."""
    model = nn.Sequential(nn.Linear(4, 1, bias=False), nn.Linear(1, 1).half())
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
    optimizer.add_param_group({"params": list(model[1].parameters())})
    model[1].requires_grad_(False)
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("0")
        scaler.scale(model[0](torch.ones(2, 4)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()


def test_an_optimizer_that_trains_anything_keeps_its_gradients() -> None:
    """The scaler looks at those, also at that of the smallest parameter."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        before = weights(model)
        scaler.scale(loss_of(model, 1)).backward()
        scaler.step(optimizer)
        scaler.update()
        after = weights(model)
    moved = {name for name in after if after[name] != before[name]}
    assert moved == {name for name in after if not name.startswith("stem")}


def test_without_a_command_a_step_without_gradients_is_the_scripts_mistake() -> None:
    """It raises again as soon as nothing is frozen any more."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        run.thaw("*")
        scaler.scale(torch.ones(1, requires_grad=True)).backward()
        with pytest.raises(AssertionError, match="No inf checks"):
            scaler.step(optimizer)


def test_the_factor_is_that_of_the_scaler_that_scaled_the_latest_loss() -> None:
    """Whenever it was made; one that is switched off scales nothing."""
    scale, first, second = LossScale(Guard()), scaler_of(8.0), scaler_of(4.0)
    scale.follow(needed=True)
    assert scale.tensor() is None
    first.scale(torch.ones(1))
    assert float(scale.tensor() or 0) == 8.0
    first.update(2.0)
    assert float(scale.tensor() or 0) == 2.0
    second.scale(torch.ones(1))
    assert float(scale.tensor() or 0) == 4.0
    torch.amp.GradScaler("cpu", enabled=False).scale(torch.ones(1))
    assert scale.tensor() is None
    scale.follow(needed=False)
    first.scale(torch.ones(1))
    assert scale.tensor() is None


def scaler_of(factor: float) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=factor)
