"""Masks, routers, margins and small types that let no gradient through, or nothing at all."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, classifier, inputs, layers

ZERO, NAN = "zero_gradient", "nonfinite"


class Experts(nn.Module):
    """A mixture of three experts whose router has a favourite."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 3)
        self.experts = nn.ModuleList([nn.Linear(6, 8) for _ in range(3)])
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.router.weight.mul_(0.1)
            self.router.bias.copy_(torch.tensor([4.0, 0.0, -4.0]))


class Dispatching(Experts):
    """Sends each expert its rows, of which there may be none."""

    def forward(self, x: Tensor) -> Tensor:
        weights = self.router(x).softmax(-1)
        chosen = weights.argmax(-1)
        out = x.new_zeros(len(x), 8)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).nonzero().squeeze(1)
            made = expert(x[rows])  # <- experts_without_rows
            out = out.index_add(0, rows, made * weights[rows, number, None])
        return self.head(out)  # type: ignore[no-any-return]


class Gating(Experts):
    """Runs all experts, and multiplies by a gate that is zero for most."""

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(1, dim=-1)
        gate = torch.zeros(len(x), 3).scatter(1, chosen, weights)
        parts = [
            gate[:, i : i + 1] * expert(x)  # <- experts_behind_a_gate
            for i, expert in enumerate(self.experts)
        ]
        return self.head(sum(parts))  # type: ignore[no-any-return]


class Renormalising(Experts):
    """Brings the weights of the best one to a sum of one: they are one whatever the router says."""

    def forward(self, x: Tensor) -> Tensor:
        scores, chosen = self.router(x).topk(1, dim=-1)
        weights = scores.softmax(-1)  # <- softmax_of_the_best_alone
        parts = torch.stack([expert(x) for expert in self.experts], dim=1)
        best = parts.gather(1, chosen[..., None].expand(-1, 1, 8)).squeeze(1)
        return self.head(weights * best + parts.mean(1))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Attention with two masks; ``bias`` holds one as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(6, 4), nn.Linear(6, 4)
        self.value = nn.Linear(6, 3)
        self.padding = torch.arange(8) < 1
        self.causal = torch.ones(8, 8, dtype=torch.bool).triu(1)

    def scores(self, x: Tensor) -> Tensor:
        return self.query(x) @ self.key(x).T / 2.0


class TwoMasks(Attention):
    """The first query may look at nothing but padding."""

    def forward(self, x: Tensor) -> Tensor:
        scores = self.scores(x).masked_fill(self.causal, -math.inf)
        scores = scores.masked_fill(self.padding, -math.inf)
        weights = scores.softmax(-1)  # <- two_masks
        return weights @ self.value(x)  # type: ignore[no-any-return]


class AddedMasks(Attention):
    """The same with masks that are added."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.zeros(8, 8).masked_fill(self.causal, -math.inf)
        self.hidden = torch.zeros(8).masked_fill(self.padding, -math.inf)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.scores(x) + self.bias + self.hidden
        weights = F.softmax(scores, dim=-1)  # <- added_masks
        return weights @ self.value(x)  # type: ignore[no-any-return]


class TorchsAttention(nn.Module):
    """Torch's own attention, with a causal mask and padding at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.padding = (torch.arange(8) < 1)[None]
        self.causal = torch.ones(8, 8, dtype=torch.bool).triu(1)

    def forward(self, x: Tensor) -> Tensor:
        x = x[None]
        out, _ = self.attention(x, x, x, self.padding, attn_mask=self.causal)  # <- torchs_attention
        return self.head(out[0])  # type: ignore[no-any-return]


class SeesNothing(Attention):
    """A mask that was inverted: what torch computes of that are zeros."""

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.zeros(8, 8, dtype=torch.bool)
        q, k, v = (each(x)[None] for each in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # <- sees_nothing
        return seen[0] + self.value(x)  # type: ignore[no-any-return]


def labels_all_ignored() -> Job:
    """A batch of which no row has a label."""
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), torch.full((8,), -100)

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)  # <- labels_all_ignored
        loss.backward()

    return Job(model, step, optimizer)


def only_padding() -> Job:
    """A text of padding alone, summed up."""
    embedding, head = nn.Embedding(7, 6, padding_idx=0), nn.Linear(6, 3)
    model = nn.ModuleDict({"embedding": embedding, "head": head})
    tokens = torch.zeros(8, 5, dtype=torch.long)

    def step() -> None:
        model.zero_grad()
        h = embedding(tokens).sum(1)  # <- only_padding: embedding.*
        out = head(h)  # <- only_padding: head.weight
        F.cross_entropy(out, classes()).backward()

    return Job(model, step)


def loss_too_small_for_float16() -> Job:
    """Half precision without a scaler, and a loss with a small weight."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).half()
    x, target = inputs().half(), torch.zeros(8, 3)

    def step() -> None:
        model.zero_grad()
        out = model(x).float()  # <- loss_too_small_for_float16
        (1e-7 * F.mse_loss(out, target)).backward()

    return Job(model, step)


def margin_of_a_ranking() -> Job:
    """All pairs are in order already."""
    model = nn.Linear(6, 1)
    x = inputs()

    def step() -> None:
        model.zero_grad()
        better, worse = model(x) + 40.0, model(-x)
        loss = (1.0 - (better - worse)).clamp(min=0).mean()  # <- margin_of_a_ranking
        loss.backward()

    return Job(model, step)


def norm_of_a_single_feature() -> Job:
    """A normalisation over one element, whose result is its bias."""
    model = nn.ModuleDict(
        {"score": nn.Linear(6, 1), "norm": nn.LayerNorm(1), "other": nn.Linear(6, 1)}
    )
    x = inputs()

    def step() -> None:
        model.zero_grad()
        score = model["norm"](model["score"](x))  # <- norm_of_a_single_feature
        (score + model["other"](x)).square().mean().backward()

    return Job(model, step)


def renormed_and_cleared() -> Job:
    """An embedding that is brought to a norm in the forward, which is no step of training."""
    model = nn.Embedding(7, 3, max_norm=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        loss = F.cross_entropy(model(torch.arange(6)), classes(6))
        loss.backward()
        optimizer.zero_grad()  # <- renormed_and_cleared

    return Job(model, step, optimizer)


CASES = (
    Case(
        "experts_without_rows",
        lambda: classifier(Dispatching()),
        layers(ZERO, "experts.1", "experts.2"),
    ),
    Case(
        "experts_behind_a_gate",
        lambda: classifier(Gating()),
        layers(ZERO, "experts.1", "experts.2"),
    ),
    Case("softmax_of_the_best_alone", lambda: classifier(Renormalising()), layers(ZERO, "router")),
    Case("two_masks", lambda: classifier(TwoMasks()), layers(NAN, "value")),
    Case("added_masks", lambda: classifier(AddedMasks()), layers(NAN, "query", "key", "value")),
    Case(
        "torchs_attention",
        lambda: classifier(TorchsAttention()),
        {
            "attention.in_proj_weight": NAN,
            "attention.in_proj_bias": NAN,
            **layers(NAN, "attention.out_proj", "head"),
        },
    ),
    Case("sees_nothing", lambda: classifier(SeesNothing()), layers(ZERO, "query", "key")),
    Case("labels_all_ignored", labels_all_ignored, {"weight": ZERO, "bias": ZERO}),
    Case("only_padding", only_padding, {"embedding.weight": ZERO, "head.weight": ZERO}),
    Case("loss_too_small_for_float16", loss_too_small_for_float16, layers(ZERO, "0", "2")),
    Case("margin_of_a_ranking", margin_of_a_ranking, {"weight": ZERO, "bias": ZERO}),
    Case(
        "norm_of_a_single_feature",
        norm_of_a_single_feature,
        layers(ZERO, "score"),
    ),
    Case("renormed_and_cleared", renormed_and_cleared, {"weight": "no_backward"}),
)


def balanced_experts() -> Job:
    """Two of three experts for each row, with a loss that keeps the router balanced."""
    model = Gating()
    with torch.no_grad():
        model.router.bias.zero_()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = torch.randn(24, 6), classes(24)

    def step() -> None:
        optimizer.zero_grad()
        share = model.router(x).softmax(-1).mean(0)
        (F.cross_entropy(model(x), y) + 0.01 * 3 * share.square().sum()).backward()

    return Job(model, step, optimizer)


def attention_with_two_masks() -> Job:
    """Causal and padded at the end: every query has something to look at."""
    model = AddedMasks()
    model.hidden = model.hidden.flip(0)
    return classifier(model)


def embedding_with_a_largest_norm() -> Job:
    """Its weights are brought to a norm in each forward."""
    embedding, head = nn.Embedding(7, 6, max_norm=0.5), nn.Linear(6, 3)
    model = nn.ModuleDict({"embedding": embedding, "head": head})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(head(embedding(torch.arange(7))), classes(7)).backward()

    return Job(model, step, optimizer)


HEALTHY = (
    Case("balanced_experts", balanced_experts),
    Case("attention_with_two_masks", attention_with_two_masks),
    Case("embedding_with_a_largest_norm", embedding_with_a_largest_norm),
)
