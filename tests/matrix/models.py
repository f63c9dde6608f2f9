"""Small models, each with one trait of real ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .data import CLASSES, FEATURES, WORDS

HIDDEN = 8


class Plain(nn.Module):
    """Two layers with dropout and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN),
            nn.LayerNorm(HIDDEN),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(HIDDEN, HIDDEN),
        )
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.encoder(x)))  # type: ignore[no-any-return]


class Stage(nn.Module):
    """A stage of a pipeline: two layers, of which the first or the last may be an end's."""

    def __init__(self, *, first: bool, last: bool) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES if first else HIDDEN, HIDDEN)
        self.second = nn.Linear(HIDDEN, CLASSES if last else HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))  # type: ignore[no-any-return]


class Normalised(nn.Module):
    """Batch normalisation with running statistics, within and without the frozen part."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU()
        )
        self.middle = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU())
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self.encoder(x)))  # type: ignore[no-any-return]


class Compact(nn.Module):
    """Little to compile, with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU())
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """What large models are stacks of."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(features, HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.layer(x)))


class Stacked(nn.Module):
    """Two blocks and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(Block(FEATURES), Block(HIDDEN))
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


class Tied(nn.Module):
    """A language model whose embedding is also its output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, HIDDEN)
        self.middle = nn.Linear(HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, WORDS, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.output(torch.tanh(self.middle(self.embedding(words))))  # type: ignore[no-any-return]


class Sparse(nn.Module):
    """An embedding with sparse gradients below a dense head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, HIDDEN, sparse=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.embedding(words).mean(1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """Two layers of an LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, num_layers=2, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.reshape(-1, 3, 2))[0][:, -1])  # type: ignore[no-any-return]


class Twice(nn.Module):
    """A layer that one forward calls twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(FEATURES, HIDDEN)
        self.shared = nn.Linear(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.shared(torch.tanh(self.stem(x))))
        return self.head(torch.tanh(self.shared(x)))  # type: ignore[no-any-return]


class Checkpointed(nn.Module):
    """Blocks with dropout whose activations are computed again in the backward."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.stem = nn.Linear(FEATURES, HIDDEN)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Dropout(0.1)) for _ in range(3)
        )
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x)  # type: ignore[no-any-return]


class TwoHeads(nn.Module):
    """An encoder with two heads, of which a step uses one."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(FEATURES, HIDDEN)
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, CLASSES) for _ in range(2))

    def forward(self, x: Tensor, which: int) -> Tensor:
        return self.heads[which](torch.relu(self.encoder(x)))  # type: ignore[no-any-return]


class Adapted(nn.Linear):
    """A linear layer that may be given a low-rank adapter (LoRA) of its own."""

    def adapt(self, rank: int = 2) -> list[nn.Parameter]:
        """Add the adapter, and return what an optimizer is to train."""
        self.lora_a = nn.Parameter(torch.randn(rank, self.in_features) * 0.1)
        self.lora_b = nn.Parameter(torch.zeros(self.out_features, rank))
        return [self.lora_a, self.lora_b]

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + x @ self.lora_a.T @ self.lora_b.T if hasattr(self, "lora_a") else y


class Adapter(nn.Module):
    """A low-rank adapter around a layer, which gets another path by it."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))  # type: ignore[no-any-return]


class Growing(nn.Module):
    """Layers to which parameters are added in mid-run."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder: nn.Module = Adapted(FEATURES, HIDDEN)
        self.extra: nn.Module = nn.Identity()
        self.head = Adapted(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.extra(torch.relu(self.encoder(x))))  # type: ignore[no-any-return]
