"""A checkpoint whose graph outlives a step is played again as its forward was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate import probe

Command = Callable[[probe.Run], object]


class Net(nn.Module):
    """Parts of every kind that a command can change; the whole, or each part, in a checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(4, 6)
        self.body = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh())
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor, *, parts: bool = False) -> Tensor:
        for part in (self.stem, self.body, self.head):
            x = checkpoint(part, x, use_reentrant=False) if parts else part(x)
        return x


def batch(step: int, *, requires_grad: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(5, 4, generator=generator).requires_grad_(requires_grad)


def crossing(
    before: Command, between: Command, *, parts: bool, reentrant: bool = False
) -> dict[str, Tensor]:
    """Return the gradients of a graph that two steps and a command have come between."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with probe.attach(model, optimizer, server=False) as run:
        before(run)
        x = batch(1, requires_grad=reentrant)
        if parts:
            loss = model(x, parts=True).sum()
        else:
            loss = checkpoint(model, x, use_reentrant=reentrant).sum()
        for step, command in ((2, between), (3, lambda _: None)):
            model(batch(step)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            command(run)
        loss.backward()
        trained = all(module.training for module in model.modules())
        assert trained
        return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


COMMANDS: dict[str, tuple[Command, Command, set[str]]] = {
    "freeze": (lambda _: None, lambda run: run.freeze("stem"), {"stem"}),
    "freeze everything": (lambda _: None, lambda run: run.freeze("*"), {"stem", "body", "head"}),
    "freeze without a graph": (
        lambda _: None,
        lambda run: run.freeze("stem", mode="no_grad"),
        {"stem"},
    ),
    "freeze statistics": (
        lambda _: None,
        lambda run: run.freeze("body", hold_stats=True),
        {"body"},
    ),
    "thaw": (lambda run: run.freeze("stem"), lambda run: run.thaw("stem"), {"stem"}),
    "thaw statistics": (
        lambda run: run.freeze("body", hold_stats=True),
        lambda run: run.thaw("body"),
        {"body"},
    ),
    "gate": (lambda _: None, lambda run: run.gate("param:head.weight"), set()),
    "gate in one step": (
        lambda run: run.gate("param:head.weight", "step == 2"),
        lambda _: None,
        set(),
    ),
    "ungate": (lambda run: run.gate("param:head.weight"), lambda run: run.ungate(1), set()),
}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_may_come_between_a_forward_and_its_backward(kind: str, parts: bool) -> None:
    """The checkpoint does not raise, and what trains in both has its gradient, bit for bit."""
    before, between, frozen = COMMANDS[kind]
    found = crossing(before, between, parts=parts)
    if kind == "thaw statistics":
        return  # they have moved since, and are what the function is played with
    wanted = crossing(lambda _: None, lambda _: None, parts=parts)
    trained = {name for name in wanted if name.partition(".")[0] not in frozen}
    gated = {"head.weight"} if kind in ("gate", "ungate") else set()
    for name in trained - gated:
        assert found[name].equal(wanted[name]), name


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_reentrant_checkpoint_may_be_crossed(kind: str) -> None:
    """It compares nothing, and is played as things are now."""
    before, between, _ = COMMANDS[kind]
    crossing(before, between, parts=False, reentrant=True)


def test_a_checkpoint_is_torchs_own_again_after_detach() -> None:
    """Nothing stands around its making."""
    own = vars(torch.utils.checkpoint._CheckpointFrame)["__init__"]
    crossing(lambda run: run.freeze("stem"), lambda _: None, parts=True)
    assert vars(torch.utils.checkpoint._CheckpointFrame)["__init__"] is own


def test_statistics_that_are_frozen_stay_though_an_older_forward_is_played_again() -> None:
    """It runs on what its batch has, as it did before they were frozen, and moves a copy."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with probe.attach(model, optimizer, server=False) as run:
        loss = checkpoint(model, batch(1), use_reentrant=False).sum()
        optimizer.step()
        run.freeze("body", hold_stats=True)
        before = {name: buffer.clone() for name, buffer in model.named_buffers()}
        held = list(model.buffers())
        loss.backward()
        assert all(model.get_buffer(name).equal(buffer) for name, buffer in before.items())
        assert all(now is then for now, then in zip(model.buffers(), held, strict=True))
