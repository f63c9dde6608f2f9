"""A useful gradient came, and something wrote over it before the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs, layers

CAUSE = "overwritten"


def _classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def noise_of_an_annealed_scale() -> Job:
    """Multiplies where it ought to add: the noise has been annealed to nothing."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y, scale = inputs(), classes(), 0.0

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            noise = scale * torch.randn_like(parameter)
            parameter.grad.data.mul_(noise)  # <- noise_of_an_annealed_scale

    return Job(model, step, optimizer)


def averaged_over_no_batches() -> Job:
    """Accumulates, and divides by a counter that was reset too early."""
    model = _classifier()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = inputs(), classes()

    def average(parameters: Iterable[Tensor], count: Tensor) -> None:
        torch._foreach_mul_(  # <- averaged_over_no_batches
            [p.grad for p in parameters if p.grad is not None], 1 / count
        )

    def step() -> None:
        optimizer.zero_grad()
        for part in (slice(0, 4), slice(4, 8)):
            F.cross_entropy(model(x[part]), y[part]).backward()
        average(model.parameters(), torch.tensor(0.0))

    return Job(model, step, optimizer)


def flat_buffer_cleared() -> Job:
    """Gradients live in one buffer, which is cleared after the backward."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    parameters = list(model.parameters())
    buffer = torch.zeros(sum(p.numel() for p in parameters))
    pieces = buffer.split([p.numel() for p in parameters])

    def step() -> None:
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
        F.cross_entropy(model(x), y).backward()
        buffer.fill_(0)  # <- flat_buffer_cleared

    return Job(model, step, optimizer)


def one_row_kept_by_a_mask() -> Job:
    """Trains one row of an embedding that no token of the batch has."""
    model = nn.ModuleDict({"embed": nn.Embedding(9, 6), "head": nn.Linear(6, 3)})
    optimizer = torch.optim.AdamW(model.parameters())
    tokens, y = torch.arange(8), classes()
    mask = torch.zeros(9, 1)
    mask[8] = 1

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model["head"](model["embed"](tokens)), y).backward()
        weight = model["embed"].weight
        weight.grad = weight.grad * mask  # <- one_row_kept_by_a_mask

    return Job(model, step, optimizer)


class Norms(nn.Module):
    """The distance to itself has no finite derivative; the classifier beside it is sound."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Linear(6, 4), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        e = self.embed(x)
        apart = (e[:, None] - e[None]).square().sum(-1)
        return apart.sqrt().mean(), self.fc(x)  # <- nan_norm: embed.*


def nan_norm() -> Job:
    """One branch is NaN, and the clipping spreads it to the other."""
    model = Norms()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        spread, logits = model(x)
        (F.cross_entropy(logits, y) + spread).backward()
        norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        nn.utils.clip_grads_with_norm_(model.parameters(), 1.0, norm)  # <- nan_norm: fc.*

    return Job(model, step, optimizer)


class Unbounded(nn.Module):
    """The reciprocal of a weight of zeros is infinite, and so is its derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.fc = nn.Parameter(torch.full((3,), 1e-30)), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + 1 / self.scale.square()  # <- clipped_by_an_infinite_norm: scale


def clipped_by_an_infinite_norm() -> Job:
    """One gradient is infinite, and what the others are multiplied by is zero."""
    model = Unbounded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        model(x).clamp(max=1e6).mean().backward()
        with torch.no_grad():
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            total = torch.stack([g.norm() for g in grads]).norm()
            for grad in grads:
                grad.mul_(1.0 / total)  # <- clipped_by_an_infinite_norm: fc.*

    return Job(model, step, optimizer)


def scaler_of_an_infinite_scale() -> Job:
    """A growth that nobody stopped: divided by the scale, nothing is left."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=math.inf)
    scaler.scale(torch.ones(1))
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        scaler.unscale_(optimizer)  # <- scaler_of_an_infinite_scale

    return Job(model, step, optimizer)


def quantised_by_numpy() -> Job:
    """Gradients are rounded on the host, to steps that are larger than they."""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            array = parameter.grad.numpy()  # <- quantised_by_numpy
            array.round(decimals=0, out=array)

    return Job(model, step, optimizer)


def cleared_in_place_by_the_model() -> Job:
    """Two models in one loop, and the wrong one is cleared before the step."""
    model = nn.ModuleDict({"encoder": _classifier(), "critic": nn.Linear(3, 1)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        model["critic"](model["encoder"](x)).square().mean().backward()
        model["encoder"].zero_grad(set_to_none=False)  # <- cleared_in_place_by_the_model

    return Job(model, step, optimizer)


ALL = layers(CAUSE, "0", "2")
CASES = (
    Case("noise_of_an_annealed_scale", noise_of_an_annealed_scale, ALL),
    Case("averaged_over_no_batches", averaged_over_no_batches, ALL),
    Case("flat_buffer_cleared", flat_buffer_cleared, ALL),
    Case("one_row_kept_by_a_mask", one_row_kept_by_a_mask, {"embed.weight": CAUSE}),
    Case(
        "nan_norm",
        nan_norm,
        {**layers("nonfinite", "embed"), **layers(CAUSE, "fc")},
    ),
    Case(
        "clipped_by_an_infinite_norm",
        clipped_by_an_infinite_norm,
        {"scale": "nonfinite", **layers(CAUSE, "fc")},
    ),
    Case("scaler_of_an_infinite_scale", scaler_of_an_infinite_scale, ALL),
    Case("quantised_by_numpy", quantised_by_numpy, ALL),
    Case(
        "cleared_in_place_by_the_model",
        cleared_in_place_by_the_model,
        layers(CAUSE, "encoder.0", "encoder.2"),
    ),
)
