"""Cut by a trip through numpy, lists or Python numbers, and built anew from them."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, classifier, inputs, layers


class ThroughNumpy(nn.Module):
    """Its attention weights are a numpy softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(6, 6)
        self.value = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.score(x).detach().numpy()  # <- softmax_in_numpy
        shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = torch.from_numpy(shifted / shifted.sum(axis=-1, keepdims=True))
        return self.value(x * weights)  # type: ignore[no-any-return]


class ThroughLists(nn.Module):
    """Sorts its features as Python lists."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.encoder(x).tolist()  # <- sorted_as_lists
        return self.head(torch.tensor([sorted(row) for row in rows]))  # type: ignore[no-any-return]


class ThroughItem(nn.Module):
    """Its margin is rebuilt from a Python number."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.log_margin = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        margin = self.log_margin.exp().item()  # <- margin_through_item
        return self.fc(x) * torch.tensor(margin)  # type: ignore[no-any-return]


class ThroughFloat(nn.Module):
    """Its radius goes through ``float`` and straight into a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Linear(6, 3)
        self.radius = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            radius = torch.tensor(float(self.radius * 2))  # <- radius_through_float
        return radius - self.centre(x).square()  # type: ignore[no-any-return]


class ThroughFactor(nn.Module):
    """A number of a tensor's as a plain factor; nothing is ever built anew."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.temperature = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        factor = self.temperature(x).mean().item()  # <- number_as_a_factor
        return self.fc(x) * factor  # type: ignore[no-any-return]


def loss_from_numbers() -> Job:
    """Collects the numbers of its losses, and makes a tensor of their mean."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        losses = []
        for rows, labels in zip(x.split(4), y.split(4), strict=True):
            losses.append(F.cross_entropy(model(rows), labels).item())  # <- loss_from_numbers
        loss = torch.tensor(sum(losses) / len(losses), requires_grad=True)
        loss.backward()

    return Job(model, step, optimizer)


def loss_copied_by_a_constructor() -> Job:
    """Weighs two losses in a tensor of their own."""
    trunk, left, right = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1)
    model = nn.ModuleDict({"trunk": trunk, "left": left, "right": right})
    weights = nn.Parameter(torch.zeros(2))
    model.register_parameter("weights", weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y, target = inputs(), classes(), torch.randn(8, 1)

    def step() -> None:
        optimizer.zero_grad()
        h = torch.relu(trunk(x))
        first = F.cross_entropy(left(h), y)
        second = F.mse_loss(right(h), target)
        both = torch.Tensor([first, second])  # <- loss_copied_by_a_constructor
        (both * (-weights).exp() + weights).sum().backward()

    return Job(model, step, optimizer)


def loss_list_to_tensor() -> Job:
    """The same with ``torch.tensor``, and a flag so that backward does not complain."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        losses = [
            F.cross_entropy(model(row[None]), label[None]) for row, label in zip(x, y, strict=True)
        ]
        loss = torch.tensor(losses, requires_grad=True).mean()  # <- loss_list_to_tensor
        loss.backward()

    return Job(model, step, optimizer)


def running_total_detached() -> Job:
    """Backward is called on a total that was detached and told to require a gradient."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        total = loss.detach().requires_grad_()  # <- running_total_detached
        total.backward()
        return total.item()

    return Job(model, step, optimizer)


CASES = (
    Case("softmax_in_numpy", lambda: classifier(ThroughNumpy()), layers("detached", "score")),
    Case("sorted_as_lists", lambda: classifier(ThroughLists()), layers("detached", "encoder")),
    Case("margin_through_item", lambda: classifier(ThroughItem()), {"log_margin": "detached"}),
    Case("radius_through_float", lambda: classifier(ThroughFloat()), {"radius": "detached"}),
    Case(
        "number_as_a_factor",
        lambda: classifier(ThroughFactor()),
        layers("detached", "temperature"),
    ),
    Case("loss_from_numbers", loss_from_numbers, layers("detached", "0", "2")),
    Case(
        "loss_copied_by_a_constructor",
        loss_copied_by_a_constructor,
        layers("detached", "trunk", "left", "right"),
    ),
    Case("loss_list_to_tensor", loss_list_to_tensor, layers("detached", "0", "2")),
    Case("running_total_detached", running_total_detached, layers("detached", "0", "2")),
)
