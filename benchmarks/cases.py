"""The models whose steps are timed.

A GPT-like, a convolutional, one of many small tensors, a large one, a compiled one, and one that
two processes train together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Case:
    """A model, a batch and how many steps to time in one block."""

    name: str
    model: nn.Module
    loss: Callable[[], Tensor]
    steps: int
    ranks: int = 1
    """How many processes train it together, each with as many steps as the others."""

    @property
    def tensors(self) -> int:
        """How many parameters there are."""
        return len(list(self.model.parameters()))

    @property
    def numel(self) -> int:
        """How many elements they have together."""
        return sum(parameter.numel() for parameter in self.model.parameters())


class GPT(nn.Module):
    """A decoder-only transformer with learned positions and a tied output layer."""

    def __init__(self, vocabulary: int, context: int, width: int, layers: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(context, width))
        layer = nn.TransformerEncoderLayer(
            width,
            nhead=6,
            dim_feedforward=4 * width,
            dropout=0,
            activation="gelu",
            batch_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (n, context) to logits (n, context, vocabulary)."""
        x = self.tokens(tokens) + self.positions
        x = self.norm(self.layers(x, mask=self.mask, is_causal=True))
        return F.linear(x, self.tokens.weight)


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class SmallTensors(nn.Module):
    """A deep residual network of narrow layers: two tensors a layer."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, width)."""
        for layer in self.layers:
            x = x + 0.1 * torch.tanh(layer(x))
        return x


def gpt() -> Case:
    """Return six layers of width 384 on 4 sequences of 128 tokens."""
    model = GPT(vocabulary=4096, context=128, width=384, layers=6)
    tokens = torch.randint(4096, (4, 129))

    def loss() -> Tensor:
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return Case("GPT-like", model, loss, steps=3)


def large_gpt() -> Case:
    """Return twelve layers of width 768 on 8 sequences of 512 tokens, for a GPU."""
    model = GPT(vocabulary=50257, context=512, width=768, layers=12)
    tokens = torch.randint(50257, (8, 513))

    def loss() -> Tensor:
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return Case("GPT-2-like", model, loss, steps=20)


def compiled_gpt() -> Case:
    """Return two layers of width 192 on 4 sequences of 64 tokens, compiled: about 20 ms a step."""
    model = GPT(vocabulary=1024, context=64, width=192, layers=2)
    tokens = torch.randint(1024, (4, 65))
    compiled = torch.compile(model)

    def loss() -> Tensor:
        return F.cross_entropy(compiled(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return Case("compiled GPT-like", model, loss, steps=40)


def gpt_124m() -> Case:
    """Return GPT-2's 124 M parameters on 2 sequences of 128 tokens, for a CPU."""
    model = GPT(vocabulary=50257, context=128, width=768, layers=12)
    tokens = torch.randint(50257, (2, 129))

    def loss() -> Tensor:
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return Case("GPT-2-like, a small batch", model, loss, steps=3)


def two_processes() -> Case:
    """Return two layers of width 192 on 4 sequences of 64 tokens in each of two processes."""
    model = GPT(vocabulary=1024, context=64, width=192, layers=2)
    tokens = torch.randint(1024, (4, 65))
    parallel = DistributedDataParallel(model)

    def loss() -> Tensor:
        return F.cross_entropy(parallel(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return Case("GPT-like, two processes", model, loss, steps=40, ranks=2)


def convolutional() -> Case:
    """Return a ResNet-20 on 32 images of 32 by 32 pixels."""
    widths = (
        [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    )
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *(ResidualBlock(*width) for width in widths),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    images, labels = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
    return Case("ResNet-20", model, lambda: F.cross_entropy(model(images), labels), steps=10)


def small_tensors() -> Case:
    """Return 200 layers of width 32, that is 400 tensors, on 32 rows."""
    model = SmallTensors(width=32, layers=200)
    rows, wanted = torch.randn(32, 32), torch.randn(32, 32)
    return Case("400 small tensors", model, lambda: F.mse_loss(model(rows), wanted), steps=40)


CASES: dict[str, Callable[[], Case]] = {
    "gpt": gpt,
    "gpt-large": large_gpt,
    "gpt-124m": gpt_124m,
    "compiled": compiled_gpt,
    "ddp": two_processes,
    "resnet": convolutional,
    "small": small_tensors,
}

FOR_A_CPU = ("gpt", "resnet", "small")
