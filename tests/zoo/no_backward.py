"""A loss was computed, and backward was never called on it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs, layers

CAUSE = "no_backward"


def _classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def parentheses_forgotten() -> Job:
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)  # <- parentheses_forgotten
        loss.backward  # noqa: B018

    return Job(model, step, optimizer)


def backward_behind_a_condition() -> Job:
    """Accumulates, with a counter that never comes to what it is compared with."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    accumulate, seen = 4, 0

    def step() -> float:
        nonlocal seen
        seen = (seen + 1) % accumulate
        logits = model(x)
        loss = F.cross_entropy(logits, y) / accumulate  # <- backward_behind_a_condition
        if seen == accumulate:
            loss.backward()
        return loss.item()

    return Job(model, step, optimizer)


def returned_to_nobody() -> Job:
    """A step that returns its loss, as a framework wants it, in a loop by hand."""
    model = _classifier()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = inputs(), classes()

    def training_step() -> Tensor:
        return F.cross_entropy(model(x), y)  # <- returned_to_nobody

    def step() -> None:
        optimizer.zero_grad()
        training_step()

    return Job(model, step, optimizer)


def one_of_two_losses() -> Job:
    trunk, left, right = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 6)
    model = nn.ModuleDict({"trunk": trunk, "left": left, "right": right})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> float:
        optimizer.zero_grad()
        h = torch.tanh(trunk(x))
        loss = F.cross_entropy(left(h), y)
        reconstruction = F.mse_loss(right(h), x)  # <- one_of_two_losses
        loss.backward()
        return loss.item() + reconstruction.item()

    return Job(model, step, optimizer)


def sum_thrown_away() -> Job:
    """Adds to the total and forgets to keep the sum; backward goes through a lone leaf."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        total = torch.zeros((), requires_grad=True)
        logits = model(x)
        total.add(F.cross_entropy(logits, y))  # <- sum_thrown_away
        total.backward()

    return Job(model, step, optimizer)


def backward_on_the_old_loss() -> Job:
    """The critic's loss goes backward twice, the actor's never."""
    actor, critic = nn.Linear(6, 3), nn.Linear(6, 1)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()])
    x, y, returns = inputs(), classes(), torch.randn(8, 1)

    def step() -> tuple[float, float]:
        optimizer.zero_grad()
        values = critic(x)
        critic_loss = F.mse_loss(values, returns)
        critic_loss.backward(retain_graph=True)
        advantage = (returns - values).detach().squeeze(1)
        chosen = actor(x).log_softmax(-1).gather(1, y[:, None]).squeeze(1)
        actor_loss = -(chosen * advantage).mean()  # <- backward_on_the_old_loss
        critic_loss.backward()
        return critic_loss.item(), actor_loss.item()

    return Job({"actor": actor, "critic": critic}, step, optimizer)


CASES = (
    Case("parentheses_forgotten", parentheses_forgotten, layers(CAUSE, "0", "2")),
    Case("backward_behind_a_condition", backward_behind_a_condition, layers(CAUSE, "0", "2")),
    Case("returned_to_nobody", returned_to_nobody, layers(CAUSE, "0", "2")),
    Case("one_of_two_losses", one_of_two_losses, layers(CAUSE, "right")),
    Case("sum_thrown_away", sum_thrown_away, layers(CAUSE, "0", "2")),
    Case("backward_on_the_old_loss", backward_on_the_old_loss, layers(CAUSE, "actor")),
)
