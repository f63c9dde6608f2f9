"""Numbers that leave torch, are computed with in Python or numpy, and come back changed."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs, layers


class Scaled(nn.Module):
    """A network, and a parameter that its loss is multiplied by."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.ones(()))
        self.weight = 0.3725290298461914
        self.seen = 0.0
        self.history: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def measure(self, x: Tensor, y: Tensor) -> None:
        """Adds to the loss that was seen."""
        loss = F.cross_entropy(self(x), y)
        self.seen = self.seen + float(loss)  # <- seen_so_far


def seen_so_far() -> Job:
    """Keeps the sum in an attribute, as a meter does."""
    model = Scaled()
    x, y = inputs(), classes()

    def step() -> None:
        model.zero_grad()
        model.seen = 0.0
        for rows, labels in zip(x.split(4), y.split(4), strict=True):
            model.measure(rows, labels)
        mean = model.seen / 2
        (model.scale + mean).backward()

    return Job(model, step)


def worst_tenth() -> Job:
    """Takes a percentile of the errors, which numpy has and torch lacks a name for."""
    model = Scaled()
    x, target = inputs(), torch.randn(8, 3)

    def step() -> None:
        model.zero_grad()
        errors = (model(x) - target).square()
        values = errors.detach().numpy()  # <- worst_tenth
        worst = np.percentile(values, 90)
        loss = worst * model.scale
        loss.backward()

    return Job(model, step)


def rounded_by_its_text() -> Job:
    """Rounds by formatting, between numbers that are only logged."""
    model = Scaled()
    x, y = inputs(), classes()

    def step() -> None:
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        model.history.append(loss.item())
        text = f"{loss:.2f}"  # <- rounded_by_its_text
        (model.scale * float(text)).backward()

    return Job(model, step)


def weighted_by_numbers() -> Job:
    """Weights in a list, for a tensor that is made of them."""
    model = Scaled()
    x = inputs()

    def step() -> None:
        model.zero_grad()
        levels = model(x).mean(0).tolist()  # <- weighted_by_numbers
        weights = [math.exp(level) for level in levels]
        share = torch.tensor(weights) / sum(weights)
        (model.scale * share).square().sum().backward()

    return Job(model, step)


def a_whole_number_of_hits() -> Job:
    """Counts, and multiplies by the count."""
    model = Scaled()
    x, y = inputs(), classes()

    def step() -> None:
        model.zero_grad()
        hits = model(x).argmax(1) == y  # <- a_whole_number_of_hits
        count = int(hits.sum())
        (model.scale * (len(y) - count)).backward()

    return Job(model, step)


def only_logged() -> Job:
    """The network's numbers are logged, and the loss has others."""
    model = Scaled()
    x = inputs()

    def step() -> None:
        model.zero_grad()
        out = torch.tanh(model(x))  # <- only_logged
        model.history.append(float(out.detach().mean()))
        mean = sum(model.history) / len(model.history)
        (model.scale * model.weight / math.sqrt(out.shape[1])).backward()
        model.history.append(mean)

    return Job(model, step)


CASES = (
    Case("seen_so_far", seen_so_far, layers("detached", "net")),
    Case("worst_tenth", worst_tenth, layers("detached", "net")),
    Case("rounded_by_its_text", rounded_by_its_text, layers("detached", "net")),
    Case("weighted_by_numbers", weighted_by_numbers, layers("detached", "net")),
    Case("a_whole_number_of_hits", a_whole_number_of_hits, layers("not_differentiable", "net")),
    Case("only_logged", only_logged, layers("not_in_loss", "net")),
)


def balanced_by_numbers() -> Job:
    """Brings two losses to one size by their numbers, and keeps averages."""
    model = Scaled()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y, target = inputs(), classes(), torch.randn(8, 3)

    def step() -> None:
        optimizer.zero_grad()
        out = model(x) * model.scale
        first, second = F.cross_entropy(out, y), F.mse_loss(out, target)
        share = first.item() / second.item()
        model.seen = 0.9 * model.seen + 0.1 * float(first)
        loss = (first + share * second) / max(model.seen, 1.0)
        loss.backward()
        model.history.append(loss.item())

    return Job(model, step, optimizer)


HEALTHY = (Case("balanced_by_numbers", balanced_by_numbers),)
