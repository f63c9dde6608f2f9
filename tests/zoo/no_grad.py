"""Parameters that were used while gradients were off."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .case import Case, Job, classes, classifier, inputs, layers


class FastEncoder(nn.Module):
    """Runs its encoder without a graph, for speed."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():  # <- encoder_under_no_grad_for_speed
            h = self.encoder(x)
        return self.head(h)  # type: ignore[no-any-return]


class Decorated(nn.Module):
    """A method that was written for evaluation and is used in training too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        return F.normalize(self.embed(x), dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(x)  # <- decorated_method
        return self.head(h)  # type: ignore[no-any-return]


class Extractor(nn.Module):
    """Its whole forward is decorated."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None]).flatten(1)  # type: ignore[no-any-return]


class OnExtractor(nn.Module):
    """A head on such an extractor."""

    def __init__(self) -> None:
        super().__init__()
        self.extractor = Extractor()
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.extractor(x)  # <- decorated_forward
        return self.head(h)  # type: ignore[no-any-return]


class SwitchedOff(nn.Module):
    """Switches gradients off for the statistics, and on again only for the head."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(6, 8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        torch.set_grad_enabled(False)  # <- switch_left_off
        centre = x.mean(0)
        h = self.mix(torch.tanh(self.proj(x - centre)))
        torch.set_grad_enabled(True)
        return self.head(h)  # type: ignore[no-any-return]


class Staged(nn.Module):
    """Trains its encoder from an epoch on that never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)
        self.train_encoder = False

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.train_encoder):  # <- switch_by_a_flag
            h = torch.relu(self.encoder(x))
        return self.head(h)  # type: ignore[no-any-return]


class Inferred(nn.Module):
    """Inference mode, and a clone so that autograd would take it."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():  # <- inference_mode_then_clone
            h = torch.relu(self.backbone(x))
        return self.head(h.clone())  # type: ignore[no-any-return]


class Scaled(nn.Module):
    """A learned temperature that is read where only a mask was meant to be made."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.log_temperature = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.fc(x)
        with torch.no_grad():  # <- temperature_in_the_wrong_block
            temperature = self.log_temperature.exp()
            confident = (logits / temperature).softmax(-1).amax(-1, keepdim=True) > 0.9
        return logits / temperature * (1.0 + confident)  # type: ignore[no-any-return]


class Rollout(nn.Module):
    """A cell in a loop; all steps but the last are warm-up, and so is what feeds them."""

    def __init__(self, steps: int = 3) -> None:
        super().__init__()
        self.init_hidden = nn.Linear(6, 8)
        self.cell = nn.GRUCell(6, 8)
        self.head = nn.Linear(8, 3)
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.init_hidden(x))
        for step in range(self.steps):
            with torch.set_grad_enabled(step == self.steps - 1):  # <- warm_up_in_a_loop
                h = self.cell(x, h)
        return self.head(h)  # type: ignore[no-any-return]


class Variational(nn.Module):
    """Draws with ``sample`` where ``rsample`` was needed."""

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.Linear(6, 4)
        self.log_sigma = nn.Linear(6, 4)
        self.decoder = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        posterior = torch.distributions.Normal(self.mu(x), self.log_sigma(x).exp())
        z = posterior.sample()  # <- sample_instead_of_rsample
        return self.decoder(z)  # type: ignore[no-any-return]


def sample_instead_of_rsample() -> Job:
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters())
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), x)
        loss.backward()

    return Job(model, step, optimizer)


class WrongStraightThrough(nn.Module):
    """The whole straight-through expression is under ``no_grad``, not only its hard part."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        soft = torch.sigmoid(self.gate(x))
        with torch.no_grad():  # <- straight_through_under_no_grad
            hard = (soft > 0.5).to(x.dtype)
            mask = hard - soft.detach() + soft
        return self.head(x * mask)  # type: ignore[no-any-return]


class Checkpointed(nn.Module):
    """A reentrant checkpoint around its first block, whose input needs no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(self.block, x, use_reentrant=True)  # <- checkpoint_without_grad_input
        return self.head(h)  # type: ignore[no-any-return]


def checkpoint_without_grad_input() -> Job:
    model = Checkpointed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loss = F.cross_entropy(model(x), y)
        loss.backward()

    return Job(model, step, optimizer)


def guarded_backward() -> Job:
    """Gradients come back on too late, and the guard hides that there is no graph."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def validate() -> None:
        model(x)

    def step() -> None:
        optimizer.zero_grad()
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)  # <- guarded_backward
        validate()
        loss = F.cross_entropy(model(x), y)
        torch.set_grad_enabled(before)
        if loss.requires_grad:
            loss.backward()

    return Job(model, step, optimizer)


CASES = (
    Case(
        "encoder_under_no_grad_for_speed",
        lambda: classifier(FastEncoder()),
        layers("no_grad", "encoder.0", "encoder.2"),
    ),
    Case("decorated_method", lambda: classifier(Decorated()), layers("no_grad", "embed")),
    Case(
        "decorated_forward", lambda: classifier(OnExtractor()), layers("no_grad", "extractor.conv")
    ),
    Case("switch_left_off", lambda: classifier(SwitchedOff()), layers("no_grad", "proj", "mix")),
    Case("switch_by_a_flag", lambda: classifier(Staged()), layers("no_grad", "encoder")),
    Case(
        "inference_mode_then_clone",
        lambda: classifier(Inferred()),
        layers("no_grad", "backbone"),
    ),
    Case(
        "temperature_in_the_wrong_block",
        lambda: classifier(Scaled()),
        {"log_temperature": "no_grad"},
    ),
    Case("warm_up_in_a_loop", lambda: classifier(Rollout()), layers("no_grad", "init_hidden")),
    Case(
        "sample_instead_of_rsample",
        sample_instead_of_rsample,
        layers("no_grad", "mu", "log_sigma"),
    ),
    Case(
        "straight_through_under_no_grad",
        lambda: classifier(WrongStraightThrough()),
        layers("no_grad", "gate"),
    ),
    Case(
        "checkpoint_without_grad_input",
        checkpoint_without_grad_input,
        layers("no_grad", "block.0"),
    ),
    Case("guarded_backward", guarded_backward, layers("no_grad", "0", "2")),
)
