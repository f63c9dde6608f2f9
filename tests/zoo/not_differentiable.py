"""Cut by what has no derivative: ``argmax``, rounding, comparisons, casts, indices, draws."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from .case import Case, Job, classes, classifier, inputs, layers


class Hard(nn.Module):
    """A network that decides, and a head that works on the decision; ``decide`` is the bug."""

    def __init__(self, choices: int = 6) -> None:
        super().__init__()
        self.decider = nn.Linear(6, choices)
        self.head = nn.Linear(6, 3)

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.decide(x, self.decider(x)))  # type: ignore[no-any-return]


class HardAttention(Hard):
    """Attends to the winner alone."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        winner = scores.argmax(-1)  # <- hard_attention
        return x * F.one_hot(winner, 6)


class Threshold(Hard):
    """Opens a gate at one half."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        p = torch.sigmoid(scores)
        mask = (p > 0.5).float()  # <- hard_threshold
        return x * mask


class Conditional(Hard):
    """Scores choose, and their values go nowhere."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        return torch.where(scores > 0, x, -x)  # <- only_the_condition_of_where


class Rounded(Hard):
    """Rounds to five levels."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        levels = torch.round(torch.sigmoid(scores) * 4) / 4  # <- rounded_to_levels
        return x + levels


class Signed(Hard):
    """Keeps only which side of zero a score is on."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        return x * torch.sign(scores)  # <- sign_of_the_score


class Floored(Hard):
    """Snaps to a grid."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        cells = scores.mul(3).floor()  # <- floored_to_a_grid
        return x + 0.1 * cells


class TopK(Hard):
    """Keeps the features with the two best scores."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        chosen = scores.topk(2, dim=-1).indices  # <- indices_of_topk
        kept = torch.zeros_like(x).scatter(-1, chosen, 1.0)
        return x * kept


class Sorted(Hard):
    """Reorders the features by their scores."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        order = scores.argsort(dim=-1)  # <- order_by_score
        return x.gather(-1, order)


class Bernoulli(Hard):
    """Draws which features to keep."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        keep = torch.bernoulli(torch.sigmoid(scores))  # <- bernoulli_draw
        return x * keep


class Tokens(nn.Module):
    """Speaks a word, and listens to it: a discrete bottleneck; ``speak`` is the bug."""

    def __init__(self) -> None:
        super().__init__()
        self.speaker = nn.Linear(6, 5)
        self.vocabulary = nn.Embedding(5, 8)
        self.listener = nn.Linear(8, 3)

    def speak(self, logits: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        word = self.speak(self.speaker(x))
        return self.listener(self.vocabulary(word))  # type: ignore[no-any-return]


class Greedy(Tokens):
    """Says the likeliest word."""

    def speak(self, logits: Tensor) -> Tensor:
        return logits.argmax(dim=-1)  # <- argmax_into_an_embedding


class Sampled(Tokens):
    """Says a word by chance."""

    def speak(self, logits: Tensor) -> Tensor:
        probabilities = logits.softmax(-1)
        return torch.multinomial(probabilities, 1).squeeze(1)  # <- multinomial_draw


class Quantised(nn.Module):
    """A learned position, cast to an index of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Linear(6, 1)
        self.table = nn.Parameter(torch.randn(10, 3))

    def forward(self, x: Tensor) -> Tensor:
        place = torch.sigmoid(self.position(x)).squeeze(-1)
        index = (place * 9).long()  # <- cast_to_an_index
        return self.table[index]


class Whole(nn.Module):
    """Counts how much of each feature it wants, in whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.amount = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        counts = self.amount(x).abs().add(1).int()  # <- cast_to_int_and_back
        return self.head(x * counts.float())  # type: ignore[no-any-return]


class Experts(nn.Module):
    """Routes each row to one expert, by index alone; the last expert never wins."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 3)
        self.experts = nn.ModuleList([nn.Linear(6, 3) for _ in range(3)])
        with torch.no_grad():
            self.router.bias[2] = -50.0

    def forward(self, x: Tensor) -> Tensor:  # <- top_one_routing: experts.2.*
        winner = self.router(x).argmax(-1)  # <- top_one_routing: router.*
        out = x.new_zeros(len(x), 3)
        for index, expert in enumerate(self.experts):
            rows = winner == index
            if rows.any():
                out[rows] = expert(x[rows])
        return out


class _Binarise(Function):
    """A straight-through estimator whose backward gives the wrong answer: nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> None:
        return None


class Binary(Hard):
    """Adds the bits of the scores."""

    def decide(self, x: Tensor, scores: Tensor) -> Tensor:
        bits = _Binarise.apply(scores)  # type: ignore[no-untyped-call]  # <- function_returns_none
        return x + bits  # type: ignore[no-any-return]


def accuracy_as_a_loss() -> Job:
    """Maximises accuracy itself; a flag keeps backward from complaining."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        predictions = model(x).argmax(dim=1)  # <- accuracy_as_a_loss
        loss = 1.0 - (predictions == y).float().mean()
        loss.requires_grad_()
        loss.backward()

    return Job(model, step, optimizer)


CAUSE = "not_differentiable"

CASES = (
    Case("hard_attention", lambda: classifier(HardAttention()), layers(CAUSE, "decider")),
    Case("hard_threshold", lambda: classifier(Threshold()), layers(CAUSE, "decider")),
    Case(
        "only_the_condition_of_where", lambda: classifier(Conditional()), layers(CAUSE, "decider")
    ),
    Case("rounded_to_levels", lambda: classifier(Rounded()), layers(CAUSE, "decider")),
    Case("sign_of_the_score", lambda: classifier(Signed()), layers(CAUSE, "decider")),
    Case("floored_to_a_grid", lambda: classifier(Floored()), layers(CAUSE, "decider")),
    Case("indices_of_topk", lambda: classifier(TopK()), layers(CAUSE, "decider")),
    Case("order_by_score", lambda: classifier(Sorted()), layers(CAUSE, "decider")),
    Case("bernoulli_draw", lambda: classifier(Bernoulli()), layers(CAUSE, "decider")),
    Case("function_returns_none", lambda: classifier(Binary()), layers(CAUSE, "decider")),
    Case("argmax_into_an_embedding", lambda: classifier(Greedy()), layers(CAUSE, "speaker")),
    Case("multinomial_draw", lambda: classifier(Sampled()), layers(CAUSE, "speaker")),
    Case("cast_to_an_index", lambda: classifier(Quantised()), layers(CAUSE, "position")),
    Case("cast_to_int_and_back", lambda: classifier(Whole()), layers(CAUSE, "amount")),
    Case(
        "top_one_routing",
        lambda: classifier(Experts()),
        {**layers(CAUSE, "router"), **layers("module_not_called", "experts.2")},
    ),
    Case("accuracy_as_a_loss", accuracy_as_a_loss, layers(CAUSE, "0", "2")),
)
