"""The gradient arrives as NaN or infinity."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, classifier, inputs, layers

CAUSE = "nonfinite"


def _fit(model: nn.Module, x: Tensor, target: Tensor) -> Job:
    """The everyday loop around a regression."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), target)
        loss.backward()

    return Job(model, step, optimizer)


class SafeRoot(nn.Module):
    """Guards a root with ``torch.where``, which does not guard its backward."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        root = h.sqrt()  # <- nan_in_the_unused_branch
        return self.head(torch.where(h > 0, root, torch.zeros_like(h)))  # type: ignore[no-any-return]


class SignedRoot(nn.Module):
    """Guards a root at zero: finite forward, and zero times infinity backward."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8, bias=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        size = self.encoder(x).abs()
        root = size.sqrt()  # <- root_of_a_row_of_zeros
        return self.head(torch.where(size > 0, root, size))  # type: ignore[no-any-return]


def root_of_a_row_of_zeros() -> Job:
    x = inputs()
    x[7] = 0.0
    return _fit(SignedRoot(), x, torch.randn(8, 3))


class Siamese(nn.Module):
    """A Euclidean distance written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 4)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        square = (self.embed(left) - self.embed(right)).square().sum(-1)
        return torch.sqrt(square)  # <- distance_of_twins


def distance_of_twins() -> Job:
    """One pair of the batch holds the same example twice."""
    model = Siamese()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    left, right = inputs(), inputs()
    right[3] = left[3]

    def step() -> None:
        optimizer.zero_grad()
        loss = (model(left, right) - 1.0).square().mean()
        loss.backward()

    return Job(model, step, optimizer)


class UnitVectors(nn.Module):
    """Divides by a norm; one row is all zeros, and there is no bias."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(6, 4, bias=False)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.proj(x)
        unit = h / h.norm(dim=-1, keepdim=True)  # <- norm_of_an_empty_row
        return self.head(unit)  # type: ignore[no-any-return]


def norm_of_an_empty_row() -> Job:
    x = inputs()
    x[5] = 0.0
    return _fit(UnitVectors(), x, torch.randn(8, 3))


def log_of_a_saturated_softmax() -> Job:
    """Writes cross entropy as the logarithm of a softmax."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        probabilities = torch.softmax(model(x) * 1e4, dim=-1)
        log_probabilities = probabilities.log()  # <- log_of_a_saturated_softmax
        loss = -(log_probabilities * F.one_hot(y, 3)).sum(-1).mean()
        loss.backward()

    return Job(model, step, optimizer)


class MaskedAttention(nn.Module):
    """Attention over rows of which one may look at nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 4)
        self.key = nn.Linear(6, 4)
        self.value = nn.Linear(6, 3)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        scores = self.query(x) @ self.key(x).T / 2.0
        scores = scores.masked_fill(hidden, -torch.inf)
        return scores.softmax(-1) @ self.value(x)  # type: ignore[no-any-return]  # <- row_that_sees_nothing


def row_that_sees_nothing() -> Job:
    model = MaskedAttention()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    hidden = torch.ones(8, 8, dtype=torch.bool).tril()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x, hidden), y).backward()

    return Job(model, step, optimizer)


class Pooled(nn.Module):
    """A mean over the tokens that are there; one row has none."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        there = (tokens != 0).unsqueeze(-1).float()
        total = (self.embedding(tokens) * there).sum(1)
        mean = total / there.sum(1)  # <- mean_over_no_tokens
        return self.head(mean)  # type: ignore[no-any-return]


def mean_over_no_tokens() -> Job:
    tokens = torch.randint(1, 7, (8, 5))
    tokens[2] = 0
    return _fit(Pooled(), tokens, torch.randn(8, 3))


class Angles(nn.Module):
    """The angle to a learned direction, by ``acos`` of what may be exactly one."""

    def __init__(self) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.tensor([1.0, 0.0, 0.0]))
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        cosine = x @ self.direction
        angle = torch.acos(cosine)  # <- angle_to_itself
        return angle + self.scale


def angle_to_itself() -> Job:
    x = F.normalize(torch.randn(8, 3), dim=-1).clamp(-0.9, 0.9)
    x[0] = torch.tensor([1.0, 0.0, 0.0])
    return _fit(Angles(), x, torch.zeros(8))


def exponential_overflows() -> Job:
    """A rate that is the exponential of an unbounded layer, with inputs in their raw units."""
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, counts = inputs() * 1e4, torch.randint(5, (8, 1)).float()

    def step() -> None:
        optimizer.zero_grad()
        rate = model(x).exp()  # <- exponential_overflows
        loss = (rate - counts * rate.log()).mean()
        loss.backward()

    return Job(model, step, optimizer)


class Checked(nn.Module):
    """Nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)  # <- nan_in_the_data
        return self.head(torch.tanh(h))  # type: ignore[no-any-return]


def nan_in_the_data() -> Job:
    x = inputs()
    x[1, 4] = torch.nan
    return _fit(Checked(), x, torch.randn(8, 3))


class Rescaled(nn.Module):
    """A layer behind a scale of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.scale = nn.Parameter(torch.ones(8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.encoder(x)) * self.scale)  # type: ignore[no-any-return]


def weight_that_is_nan_already() -> Job:
    """A step before this one spoilt one element; this step's calls only pass it on."""
    model = Rescaled()
    with torch.no_grad():
        model.scale[3] = torch.nan
    return classifier(model)


class Pretrained(nn.Module):
    """Trains a head on a frozen table of vectors, of which one row was never written."""

    def __init__(self) -> None:
        super().__init__()
        vectors = torch.randn(7, 6)
        vectors[5] = torch.inf
        self.vectors = nn.Embedding.from_pretrained(vectors)
        self.head = nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.vectors(tokens).mean(1))  # type: ignore[no-any-return]


def row_of_a_frozen_table() -> Job:
    return _fit(Pretrained(), torch.arange(7).repeat(8, 1), torch.randn(8, 3))


class Tracked(nn.Module):
    """Normalises by statistics that a bad batch has spoilt, in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.encoder(x))  # <- statistics_of_a_bad_batch
        return self.head(torch.relu(h))  # type: ignore[no-any-return]


def statistics_of_a_bad_batch() -> Job:
    model = Tracked()
    assert model.norm.running_mean is not None
    model.norm.running_mean.fill_(torch.nan)
    model.norm.eval()
    return classifier(model)


def numbers_from_a_file() -> Job:
    """A column of the file is empty, which numpy reads as NaN."""
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    table = np.genfromtxt(["1,,3,4,5,6"] * 8, delimiter=",", dtype=np.float32)

    def step() -> None:
        optimizer.zero_grad()
        x = torch.from_numpy(table)  # <- numbers_from_a_file
        F.mse_loss(model(x), torch.zeros(8, 3)).backward()

    return Job(model, step, optimizer)


def root_of_a_perfect_fit() -> Job:
    """The root of a mean squared error, at an error of exactly zero."""
    model = nn.Linear(6, 3, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = inputs()
    target = model(x).detach()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), target).sqrt()  # <- root_of_a_perfect_fit
        loss.backward()

    return Job(model, step, optimizer)


CASES = (
    Case("nan_in_the_unused_branch", lambda: classifier(SafeRoot()), layers(CAUSE, "encoder")),
    Case("root_of_a_row_of_zeros", root_of_a_row_of_zeros, {"encoder.weight": CAUSE}),
    Case("distance_of_twins", distance_of_twins, layers(CAUSE, "embed")),
    Case(
        "norm_of_an_empty_row",
        norm_of_an_empty_row,
        {"proj.weight": CAUSE, **layers(CAUSE, "head")},
    ),
    Case("log_of_a_saturated_softmax", log_of_a_saturated_softmax, layers(CAUSE, "0", "2")),
    Case(
        "row_that_sees_nothing",
        row_that_sees_nothing,
        layers(CAUSE, "value"),
    ),
    Case(
        "mean_over_no_tokens",
        mean_over_no_tokens,
        {"embedding.weight": CAUSE, **layers(CAUSE, "head")},
    ),
    Case("angle_to_itself", angle_to_itself, {"direction": CAUSE}),
    Case("exponential_overflows", exponential_overflows, dict.fromkeys(("weight", "bias"), CAUSE)),
    Case(
        "weight_that_is_nan_already",
        weight_that_is_nan_already,
        {"scale": CAUSE, **layers(CAUSE, "encoder", "head")},
    ),
    Case(
        "row_of_a_frozen_table",
        row_of_a_frozen_table,
        {"vectors.weight": "frozen_by_script", **layers(CAUSE, "head")},
    ),
    Case(
        "statistics_of_a_bad_batch",
        statistics_of_a_bad_batch,
        layers(CAUSE, "encoder", "norm", "head"),
    ),
    Case("numbers_from_a_file", numbers_from_a_file, dict.fromkeys(("weight", "bias"), CAUSE)),
    Case("root_of_a_perfect_fit", root_of_a_perfect_fit, {"weight": CAUSE}),
    Case("nan_in_the_data", nan_in_the_data, layers(CAUSE, "encoder", "head")),
)
