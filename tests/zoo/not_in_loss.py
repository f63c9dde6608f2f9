"""Computed, and used by nothing that reaches the loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from .case import Case, Job, classes, classifier, inputs, layers


class WithAuxiliary(nn.Module):
    """Returns its auxiliary logits too."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.aux = nn.Linear(8, 3)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.stem(x))
        aux = self.aux(h)  # <- auxiliary_logits_ignored
        return self.fc(h), aux


def auxiliary_logits_ignored() -> Job:
    model = WithAuxiliary()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        logits, _ = model(x)
        F.cross_entropy(logits, y).backward()

    return Job(model, step, optimizer)


class Denoiser(nn.Module):
    """Returns what it made and its code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.decoder = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = torch.tanh(self.encoder(x))
        return self.decoder(code), code  # <- loss_on_the_wrong_tensor


def loss_on_the_wrong_tensor() -> Job:
    """The reconstruction was unpacked under a name that the loss does not use."""
    model = Denoiser()
    optimizer = torch.optim.Adam(model.parameters())
    clean, target = inputs(), torch.zeros(8, 4)

    def step() -> None:
        optimizer.zero_grad()
        _reconstruction, output = model(clean + 0.1)
        loss = F.mse_loss(output, target)
        loss.backward()

    return Job(model, step, optimizer)


class ForgottenWeights(nn.Module):
    """Computes attention weights and returns the plain values."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(6, 8)
        self.value = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.score(x) @ x.new_ones(8, 1)
        weights = scores.squeeze(-1).softmax(-1)
        weights = weights * len(x)  # <- weights_never_multiplied
        return self.value(x)  # type: ignore[no-any-return]


class WrongVariable(nn.Module):
    """The second block reads ``x`` where it was to read ``h``."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = nn.Linear(6, 6)
        self.block2 = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.block1(x))  # <- second_block_reads_the_input
        h = F.silu(self.block2(x))
        return self.head(h)  # type: ignore[no-any-return]


class NeverChained(nn.Module):
    """A loop that feeds every layer the same input and keeps the last answer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 6)
        self.layers = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            out = F.gelu(layer(x))  # <- loop_keeps_the_last_answer
        return self.head(out)  # type: ignore[no-any-return]


class MeanOnly(nn.Module):
    """A variational encoder that forgot its noise, under a loss that forgot the divergence."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.mean = nn.Linear(8, 3)
        self.log_variance = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.trunk(x))
        return self.mean(h), self.log_variance(h).clamp(-5, 5)  # <- variance_without_divergence


def variance_without_divergence() -> Job:
    model = MeanOnly()
    optimizer = torch.optim.Adam(model.parameters())
    x, target = inputs(), torch.randn(8, 3)

    def step() -> None:
        optimizer.zero_grad()
        mean, _log_variance = model(x)
        F.mse_loss(mean, target).backward()

    return Job(model, step, optimizer)


class Sentences(nn.Module):
    """A tiny BERT, of which the tokens' states are used and the pooled one is not."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = BertModel(
            BertConfig(
                vocab_size=23,
                hidden_size=8,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=6,
            )
        )
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.bert(input_ids=tokens).last_hidden_state  # <- pooler_of_a_library
        return self.head(states[:, 0])  # type: ignore[no-any-return]


def pooler_of_a_library() -> Job:
    model = Sentences()
    optimizer = torch.optim.AdamW(model.parameters())
    tokens, y = torch.randint(23, (4, 6)), classes(4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(tokens), y).backward()

    return Job(model, step, optimizer)


CAUSE = "not_in_loss"

CASES = (
    Case("auxiliary_logits_ignored", auxiliary_logits_ignored, layers(CAUSE, "aux")),
    Case("loss_on_the_wrong_tensor", loss_on_the_wrong_tensor, layers(CAUSE, "decoder")),
    Case(
        "weights_never_multiplied",
        lambda: classifier(ForgottenWeights()),
        layers(CAUSE, "score"),
    ),
    Case(
        "second_block_reads_the_input",
        lambda: classifier(WrongVariable()),
        layers(CAUSE, "block1"),
    ),
    Case(
        "loop_keeps_the_last_answer",
        lambda: classifier(NeverChained()),
        layers(CAUSE, "layers.0", "layers.1"),
    ),
    Case(
        "variance_without_divergence",
        variance_without_divergence,
        layers(CAUSE, "log_variance"),
    ),
    Case(
        "pooler_of_a_library",
        pooler_of_a_library,
        layers(CAUSE, "bert.pooler.dense"),
        library=(
            "transformers.models.bert.modeling_bert",
            "pooled_output = self.activation(pooled_output)",
        ),
    ),
)
