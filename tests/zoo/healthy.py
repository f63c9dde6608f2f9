"""Architectures that are all right, whatever they do on the way."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint
from transformers import GPT2Config, GPT2LMHeadModel

from .case import Case, Job, classes, classifier, inputs


def transformer_of_the_library() -> Job:
    """A tiny GPT-2, with its output tied to its embedding."""
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=23,
            n_positions=8,
            n_embd=8,
            n_layer=2,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters())
    tokens = torch.randint(23, (2, 9))

    def step() -> None:
        optimizer.zero_grad()
        logits = model(input_ids=tokens[:, :-1]).logits
        F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()

    return Job(model, step, optimizer)


class Recurrent(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size * (1 + layer.bidirectional), 3)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.layer(x.reshape(-1, 3, 2))
        return self.head(out[:, 1])  # type: ignore[no-any-return]


class Convolutional(nn.Module):
    """A net for signals, with normalisation, pooling and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(2),
            nn.Conv1d(8, 8, 3, padding=1),
            nn.PReLU(),
            nn.Dropout(0.1),
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x[:, None]).mean(-1))  # type: ignore[no-any-return]


class Words(nn.Module):
    """An embedding of which the batch touches a few rows."""

    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 4, padding_idx=0, sparse=sparse)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x.argsort(-1)).mean(1))  # type: ignore[no-any-return]


def rows_that_never_occur() -> Job:
    return classifier(Words())


def rows_that_never_occur_sparse() -> Job:
    model = Words(sparse=True)
    for_rows = torch.optim.SparseAdam(list(model.embedding.parameters()))
    for_head = torch.optim.Adam(model.head.parameters())
    x, y = inputs(), classes()

    def step() -> None:
        for optimizer in (for_rows, for_head):
            optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()

    return Job(model, step, [for_rows, for_head])


class SelfAttention(nn.Module):
    """Causal attention, with minus infinity in its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(1, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x[..., None])
        mask = torch.full((6, 6), -torch.inf).triu(1)
        h = h + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return self.head(h[:, -1])  # type: ignore[no-any-return]


class EncoderLayers(nn.Module):
    """Torch's own transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(1, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x[..., None])).mean(1))  # type: ignore[no-any-return]


class Checkpointed(nn.Module):
    """Blocks under activation checkpointing, behind a stem."""

    def __init__(self, use_reentrant: bool) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Dropout(0.1)) for _ in range(2)]
        )
        self.head = nn.Linear(8, 3)
        self.use_reentrant = use_reentrant

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for block in self.blocks:
            h = checkpoint(block, h, use_reentrant=self.use_reentrant)
        return self.head(h)  # type: ignore[no-any-return]


class Tied(nn.Module):
    """A language model whose output is its embedding, which it uses functionally too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 8)
        self.mix = nn.Linear(8, 8)
        self.output = nn.Linear(8, 6, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.argmax(-1)
        return self.output(torch.tanh(self.mix(self.embedding(tokens))))  # type: ignore[no-any-return]


class Functional(nn.Module):
    """Uses its layers' parameters and calls none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.second = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(F.linear(x, self.first.weight, self.first.bias))
        return h @ self.second.weight.T + self.second.bias


class Iterated(nn.Module):
    """Calls one module several times."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = x + torch.tanh(self.cell(x))
        return self.head(x)  # type: ignore[no-any-return]


class _Swish(Function):
    """A custom function with a right backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grads[0] * (s + x * s * (1 - s))


class Custom(nn.Module):
    """A layer on either side of a custom function."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(_Swish.apply(self.fc1(x)))  # type: ignore[no-any-return, no-untyped-call]


class StraightThrough(nn.Module):
    """A straight-through estimator and a Gumbel softmax, both written rightly."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(6, 6)
        self.choice = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        soft = torch.sigmoid(self.gate(x))
        hard = (soft > 0.5).to(x.dtype)
        mask = soft + (hard - soft).detach()
        chosen = F.gumbel_softmax(self.choice(x), hard=True)
        return self.head(x * mask + chosen)  # type: ignore[no-any-return]


class Clamps(nn.Module):
    """Clamps its activations in place behind autograd's back: no cut, for better or worse."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc1(x)
        h.data.clamp_(-1.0, 1.0)
        return self.fc2(h)  # type: ignore[no-any-return]


class Normalised(nn.Module):
    """Weight and spectral normalisation, which compute a weight anew in every forward."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = parametrizations.weight_norm(nn.Linear(6, 8))
        self.fc2 = parametrizations.spectral_norm(nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.fc1(x)))  # type: ignore[no-any-return]


class Quantised(nn.Module):
    """A vector-quantising bottleneck: argmin, a straight-through copy, and a commitment loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.codes = nn.Parameter(torch.randn(5, 4))
        self.decoder = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        nearest = self.codes[torch.cdist(z, self.codes).argmin(-1)]
        commitment = F.mse_loss(z, nearest.detach()) + F.mse_loss(nearest, z.detach())
        return F.mse_loss(self.decoder(z + (nearest - z).detach()), x) + commitment


def quantised() -> Job:
    model = Quantised()
    optimizer = torch.optim.Adam(model.parameters())
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        model(x).backward()

    return Job(model, step, optimizer)


CASES = (
    Case("transformer_of_the_library", transformer_of_the_library),
    Case("lstm", lambda: classifier(Recurrent(nn.LSTM(2, 5, num_layers=2, batch_first=True)))),
    Case("gru", lambda: classifier(Recurrent(nn.GRU(2, 5, batch_first=True, bidirectional=True)))),
    Case("convolutional", lambda: classifier(Convolutional())),
    Case("rows_that_never_occur", rows_that_never_occur),
    Case("rows_that_never_occur_sparse", rows_that_never_occur_sparse),
    Case("multihead_attention", lambda: classifier(SelfAttention())),
    Case("encoder_layers", lambda: classifier(EncoderLayers())),
    Case("checkpointed", lambda: classifier(Checkpointed(use_reentrant=False))),
    Case("checkpointed_reentrant", lambda: classifier(Checkpointed(use_reentrant=True))),
    Case("tied", lambda: classifier(Tied())),
    Case("functional", lambda: classifier(Functional())),
    Case("called_several_times", lambda: classifier(Iterated())),
    Case("custom_function", lambda: classifier(Custom())),
    Case("straight_through", lambda: classifier(StraightThrough())),
    Case("clamped_by_data", lambda: classifier(Clamps())),
    Case("weight_normalised", lambda: classifier(Normalised())),
    Case("vector_quantised", quantised),
)
