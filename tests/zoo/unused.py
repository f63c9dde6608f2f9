"""Modules that are never called, and parameters that their modules leave alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, classifier, inputs, layers


class Residual(nn.Module):
    """A block whose shortcut is needed only where the width changes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Linear(width, width)
        self.shortcut = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # <- shortcut_never_needed
        skip = x if self.body.in_features == self.body.out_features else self.shortcut(x)
        return torch.tanh(self.body(x)) + skip


class Residuals(nn.Module):
    """Two such blocks, of one width."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Residual(6), Residual(6))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x))  # type: ignore[no-any-return]


class ForgottenNorm(nn.Module):
    """Its second norm was written down and never called."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(6)
        self.norm2 = nn.LayerNorm(6)
        self.fc1 = nn.Linear(6, 6)
        self.fc2 = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:  # <- registered_and_never_called
        x = x + torch.relu(self.fc1(self.norm1(x)))
        return self.fc2(self.norm1(x))  # type: ignore[no-any-return]


class MultiTask(nn.Module):
    """One head a task, of which the data has one only."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.heads = nn.ModuleDict({"digits": nn.Linear(8, 3), "letters": nn.Linear(8, 3)})

    def forward(self, x: Tensor, task: str = "digits") -> Tensor:  # <- task_never_selected
        return self.heads[task](torch.relu(self.trunk(x)))  # type: ignore[no-any-return]


class OffByOne(nn.Module):
    """The last hidden layer is skipped by the slice that was to skip the head."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:  # <- slice_off_by_one
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.head(x)  # type: ignore[no-any-return]


class Inception(nn.Module):
    """An auxiliary head that a flag keeps off."""

    def __init__(self, aux_logits: bool = False) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.aux = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
        self.fc = nn.Linear(8, 3)
        self.aux_logits = aux_logits

    def forward(self, x: Tensor) -> Tensor:  # <- auxiliary_head_is_off
        h = torch.relu(self.stem(x))
        if self.training and self.aux_logits:
            return self.fc(h) + 0.3 * self.aux(h)  # type: ignore[no-any-return]
        return self.fc(h)  # type: ignore[no-any-return]


class RareWords(nn.Module):
    """An adaptive softmax; no word of the batch is in its last cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 12, cutoffs=[3, 6], div_value=2.0)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # <- cluster_that_never_occurs
        return self.softmax(self.encoder(x), y).loss  # type: ignore[no-any-return]


def cluster_that_never_occurs() -> Job:
    model = RareWords()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), torch.tensor([0, 1, 2, 3, 4, 5, 0, 3])

    def step() -> None:
        optimizer.zero_grad()
        model(x, y).backward()

    return Job(model, step, optimizer)


def critic_never_asked() -> Job:
    actor, critic = nn.Linear(6, 3), nn.Linear(6, 1)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()])
    observations, actions, returns = inputs(), classes(), torch.randn(8)

    def step() -> None:
        optimizer.zero_grad()
        log_probs = F.log_softmax(actor(observations), dim=-1)
        chosen = log_probs.gather(1, actions[:, None]).squeeze(1)
        loss = -(chosen * (returns - returns.mean())).mean()
        loss.backward()

    return Job({"actor": actor, "critic": critic}, step, optimizer)


class Affine(nn.Module):
    """It declares a bias and forgets it."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, width) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:  # <- bias_never_added
        return F.linear(x, self.weight)


class Clip(nn.Module):
    """Two towers; the learned temperature was left out of the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Linear(6, 4)
        self.text = nn.Linear(6, 4)
        self.logit_scale = nn.Parameter(torch.tensor(2.6))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:  # <- temperature_never_used
        image = F.normalize(self.image(image), dim=-1)
        text = F.normalize(self.text(text), dim=-1)
        return image @ text.T / 0.07


def temperature_never_used() -> Job:
    model = Clip()
    optimizer = torch.optim.AdamW(model.parameters())
    images, texts, labels = inputs(), inputs(), torch.arange(8)

    def step() -> None:
        optimizer.zero_grad()
        logits = model(images, texts)
        loss = F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)
        loss.backward()

    return Job(model, step, optimizer)


class Adapted(nn.Module):
    """Hangs low-rank factors on a layer of torch's, whose forward knows nothing of them."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(6, 8)
        self.proj.lora_a = nn.Parameter(torch.randn(2, 6))
        self.proj.lora_b = nn.Parameter(torch.randn(8, 2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.proj(x))  # <- factors_hung_on_a_plain_layer
        return self.head(h)  # type: ignore[no-any-return]


class Cosine(nn.Module):
    """Class vectors, normalised once when they were made and used from there ever after."""

    def __init__(self) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(3, 4))
        self.register_buffer("unit", F.normalize(self.prototypes.detach(), dim=-1))

    def forward(self, x: Tensor) -> Tensor:  # <- stale_copy_from_init
        return F.normalize(x, dim=-1) @ self.unit.T  # type: ignore[no-any-return]


CASES = (
    Case(
        "shortcut_never_needed",
        lambda: classifier(Residuals()),
        layers("module_not_called", "blocks.0.shortcut", "blocks.1.shortcut"),
    ),
    Case(
        "registered_and_never_called",
        lambda: classifier(ForgottenNorm()),
        layers("module_not_called", "norm2"),
    ),
    Case(
        "task_never_selected",
        lambda: classifier(MultiTask()),
        layers("module_not_called", "heads.letters"),
    ),
    Case(
        "slice_off_by_one",
        lambda: classifier(OffByOne()),
        layers("module_not_called", "layers.2"),
    ),
    Case(
        "auxiliary_head_is_off",
        lambda: classifier(Inception()),
        layers("module_not_called", "aux.0", "aux.2"),
    ),
    Case(
        "cluster_that_never_occurs",
        cluster_that_never_occurs,
        dict.fromkeys(("softmax.tail.1.0.weight", "softmax.tail.1.1.weight"), "module_not_called"),
    ),
    Case("critic_never_asked", critic_never_asked, layers("module_not_called", "critic")),
    Case(
        "bias_never_added",
        lambda: classifier(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), Affine(8, 3))),
        {"2.bias": "parameter_not_used"},
    ),
    Case("temperature_never_used", temperature_never_used, {"logit_scale": "parameter_not_used"}),
    Case(
        "factors_hung_on_a_plain_layer",
        lambda: classifier(Adapted()),
        {"proj.lora_a": "parameter_not_used", "proj.lora_b": "parameter_not_used"},
    ),
    Case(
        "stale_copy_from_init",
        lambda: classifier(nn.Sequential(nn.Linear(6, 4), Cosine())),
        {"1.prototypes": "parameter_not_used"},
    ),
)
