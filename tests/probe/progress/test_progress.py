"""What is looked at around each step of a run, and what comes of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from gradgate import probe
from gradgate.probe.progress.close_verdicts import PATIENCE
from gradgate.probe.session.run import job_of


def iterate(model: nn.Module, optimizer: torch.optim.Optimizer, *, clear: bool = True) -> None:
    if clear:
        optimizer.zero_grad()
    model(torch.ones(4, 3)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("steps", [2, 6])
def test_trains_means_that_the_weight_moves(steps: int) -> None:
    """A strict run fails for a learning rate of 0, at its end if it is short."""
    model = nn.Linear(3, 2)
    optimizer = Adam(model.parameters(), lr=0.0)
    made = 0

    def train() -> None:
        nonlocal made
        with probe.attach(model, optimizer, server=False, every=1, expect=["*"], strict=True):
            for _ in range(steps):
                iterate(model, optimizer)
                made += 1

    with pytest.raises(probe.ExpectationError, match=r"learning rate .* is 0\..* \(not_moving\)"):
        train()
    assert made == PATIENCE, "a look tells what has moved since the one before"


def test_the_explanation_of_a_parameter_says_that_it_does_not_move() -> None:
    """A traced step alone shows a healthy gradient."""
    model = nn.Linear(3, 2)
    optimizer = SGD(model.parameters(), lr=0.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(4):
            iterate(model, optimizer)
        run.explain()
        iterate(model, optimizer)
        found = run.explanations()
    assert {name: why.cause for name, why in found.items()} == {
        "weight": "not_moving",
        "bias": "not_moving",
    }
    assert "above 0" in found["weight"].advice


def test_a_frozen_parameter_that_moves_is_explained_by_what_moves_it() -> None:
    """And not as frozen, which it is not."""
    model = nn.Linear(3, 2)
    optimizer = Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    iterate(model, optimizer)
    model.bias.requires_grad_(False)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(6):
            optimizer.zero_grad(set_to_none=False)
            iterate(model, optimizer, clear=False)
        run.explain()
        iterate(model, optimizer, clear=False)
        assert run.explanations()["bias"].cause == "moved_without_gradient"


def test_detaching_leaves_no_hook_behind() -> None:
    """Of those that watch whether gradients are cleared."""
    model = nn.Linear(3, 2)
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1):
        iterate(model, optimizer, clear=False)
        model(torch.ones(1, 3)).sum().backward()
        assert model.weight._backward_hooks
    assert not model.weight._backward_hooks


def test_a_run_that_is_never_sampled_costs_no_look() -> None:
    """Nothing is done for each parameter in steps that nobody samples."""
    model = nn.Linear(3, 2)
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        for _ in range(3):
            iterate(model, optimizer, clear=False)
        assert job_of(run).guard.faults == 0
        assert not model.weight._backward_hooks
