"""Small models, each with one trait of real ones, and the data to train them on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """Two layers, a normalisation with running statistics, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


class Tied(nn.Module):
    """An embedding whose weight is also the output layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.output = nn.Linear(6, 11, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.embedding(x.argmax(1)))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """An LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.reshape(-1, 3, 2))[0][:, -1])  # type: ignore[no-any-return]


class Twice(nn.Module):
    """A layer that one forward calls twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.inner(torch.tanh(self.inner(x))))  # type: ignore[no-any-return]


class Sparse(nn.Module):
    """An embedding with sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 3, sparse=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(x.argmax(1))  # type: ignore[no-any-return]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "plain": Plain,
    "tied": Tied,
    "recurrent": Recurrent,
    "twice": Twice,
}
"""Models that any dense optimizer trains; :class:`Sparse` needs one that knows sparse gradients."""


def batch(step: int) -> tuple[Tensor, Tensor]:
    """The data of a step: inputs [8, 6] and targets [8, 3], the same in every run."""
    generator = torch.Generator().manual_seed(step)
    return torch.randn(8, 6, generator=generator), torch.randn(8, 3, generator=generator)


def loss_of(model: nn.Module, step: int) -> Tensor:
    """A loss that depends on every output of the model."""
    inputs, targets = batch(step)
    output = model(inputs)
    return (output[:, :3] - targets).square().mean() + 0.01 * output.square().sum()


def weights(model: nn.Module) -> dict[str, bytes]:
    """Every parameter's bits."""
    return {name: p.detach().numpy().tobytes() for name, p in model.named_parameters()}
