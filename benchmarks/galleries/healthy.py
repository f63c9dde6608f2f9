"""Sound jobs, of which no tool ought to warn: what is said of them is a false alarm."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from galleries.jobs import Job, data, network


def perceptron() -> Job:
    """Two layers under Adam."""
    model = network()
    return Job(model, torch.optim.Adam(model.parameters(), 1e-3), data())


def convolutional() -> Job:
    """Convolutions with batch normalisation, and biases that their norms make idle."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
    )
    batch = torch.randn(16, 1, 8, 8), torch.randint(0, 4, (16,))
    return Job(
        model, torch.optim.SGD(model.parameters(), 0.05, momentum=0.9), batch, F.cross_entropy
    )


def frozen_backbone() -> Job:
    """A frozen body below a trained head."""
    model = network()
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model[2].parameters(), 1e-3)
    return Job(model, optimizer, data(), frozen=["0.*"], trains=["2.*"])


def accumulation() -> Job:
    """Four backwards a step."""
    model, batch = network(), data()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def iterate() -> None:
        for _ in range(4):
            (F.mse_loss(model(batch[0]), batch[1]) / 4).backward()
        optimizer.step()
        optimizer.zero_grad()

    return Job(model, optimizer, batch, iterate=iterate)


def clipping() -> Job:
    """Gradients are clipped to a norm of 1."""
    model, batch = network(), data()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


class Recurrent(nn.Module):
    """An LSTM whose last output is read."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, steps, 8] to [rows, 4]."""
        return self.head(self.memory(x)[0][:, -1])  # type: ignore[no-any-return]


def recurrent() -> Job:
    """An LSTM over six steps."""
    model = Recurrent()
    batch = torch.randn(16, 6, 8), torch.randn(16, 4)
    return Job(model, torch.optim.Adam(model.parameters(), 1e-3), batch)


def transformer() -> Job:
    """A layer of a transformer, without dropout."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Linear(8, 16), layer, nn.Linear(16, 4))
    batch = torch.randn(8, 5, 8), torch.randn(8, 5, 4)
    return Job(model, torch.optim.AdamW(model.parameters(), 1e-3), batch)


class Tied(nn.Module):
    """An embedding that is the output layer too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(12, 8), nn.Linear(8, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows] of words to [rows, 12]."""
        return self.head(self.embedding(x))  # type: ignore[no-any-return]


def tied() -> Job:
    """A weight with two names."""
    model = Tied()
    batch = torch.arange(12), torch.arange(12).roll(1)
    return Job(model, torch.optim.Adam(model.parameters(), 1e-3), batch, F.cross_entropy)


def averaged() -> Job:
    """A copy follows by an exponential moving average."""
    model, batch = network(), data()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    average = copy.deepcopy(model).requires_grad_(False)

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 0.1)

    return Job(model, optimizer, batch, iterate=iterate)


def warm_up() -> Job:
    """The learning rate rises from zero."""
    model, batch = network(), data()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 20))

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()
        schedule.step()

    return Job(model, optimizer, batch, iterate=iterate)


HEALTHY = (
    perceptron,
    convolutional,
    frozen_backbone,
    accumulation,
    clipping,
    recurrent,
    transformer,
    tied,
    averaged,
    warm_up,
)
"""Every sound job."""
