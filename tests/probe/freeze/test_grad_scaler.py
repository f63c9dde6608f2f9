"""A GradScaler whose optimizer has nothing to do."""

from __future__ import annotations

import pytest
import torch

from gradgate import probe
from tests.support.steered import chain, steps
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


def test_a_thaw_takes_the_scalers_zeros_away() -> None:
    """A parameter that then gets no gradient is not moved by its momentum."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False) as run:
        steps(model, optimizer, 1, 2)
        run.freeze("*")
        optimizer.zero_grad()
        assert any(parameter.grad is not None for parameter in model.parameters())
        run.thaw("*")
        assert all(parameter.grad is None for parameter in model.parameters())
    assert scaler.is_enabled()
