"""Loops that cut a gradient where it takes a second look to see it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import Case, Job, classes, inputs, layers


class Twice(nn.Module):
    """Runs its encoder for a monitor first, and then detached."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.encoder(x).norm()
        return self.head(self.encoder(x).detach())  # type: ignore[no-any-return]  # <- weights_cast_once_by_autocast


def weights_cast_once_by_autocast() -> Job:
    """Autocast keeps the cast weight of the first call for the second."""
    model = Twice()
    x, y = inputs(), classes()

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()

    return Job(model, step)


def trained_after_an_evaluation() -> Job:
    """``no_grad`` ends within ``inference_mode``, which puts back what was before it."""
    model = nn.ModuleDict({"encoder": nn.Linear(6, 8), "head": nn.Linear(8, 3)})
    encoder, head = model["encoder"], model["head"]
    x, y = inputs(), classes()

    def step() -> None:
        with torch.inference_mode(), torch.no_grad():
            encoder(x)
        h = encoder(x).detach()  # <- trained_after_an_evaluation
        F.cross_entropy(head(h), y).backward()

    return Job(model, step)


def packed_and_detached() -> Job:
    """The sizes of the packed batch are whole numbers, and not the cut."""
    embedding, recurrent, head = nn.Embedding(9, 4), nn.GRU(4, 5, batch_first=True), nn.Linear(5, 2)
    model = nn.ModuleDict({"embedding": embedding, "recurrent": recurrent, "head": head})
    words, lengths = torch.arange(18).reshape(3, 6) % 9, torch.tensor([6, 4, 2])

    def step() -> None:
        packed = pack_padded_sequence(embedding(words), lengths, batch_first=True)
        states, _ = pad_packed_sequence(recurrent(packed)[0], batch_first=True)
        states = states.detach()  # <- packed_and_detached
        head(states).sum().backward()

    return Job(model, step)


def penalty_without_create_graph() -> Job:
    """The penalty is of a gradient that knows nothing of how it came about."""
    critic = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    margin = nn.Linear(1, 1)
    model = nn.ModuleDict({"critic": critic, "margin": margin})

    def step() -> None:
        x = inputs().requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x)  # <- penalty_without_create_graph
        margin(slope.norm(dim=1, keepdim=True)).square().mean().backward()

    return Job(model, step)


CASES = (
    Case(
        "weights_cast_once_by_autocast",
        weights_cast_once_by_autocast,
        layers("detached", "encoder"),
    ),
    Case(
        "trained_after_an_evaluation",
        trained_after_an_evaluation,
        layers("detached", "encoder"),
    ),
    Case(
        "packed_and_detached",
        packed_and_detached,
        {
            "embedding.weight": "detached",
            **{
                f"recurrent.{kind}_{way}_l0": "detached"
                for kind in ("weight", "bias")
                for way in ("ih", "hh")
            },
        },
    ),
    Case(
        "penalty_without_create_graph",
        penalty_without_create_graph,
        {
            **layers("detached", "critic.0"),
            "critic.2.weight": "detached",
            "critic.2.bias": "detached",
        },
    ),
)
