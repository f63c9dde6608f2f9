"""A healthy gradient that nobody applies."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs, layers

CAUSE = "not_in_optimizer"


def _train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    loose: Mapping[str, Tensor] | None = None,
) -> Job:
    x, y = inputs(), classes()

    def step() -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()

    return Job(model, step, optimizer, loose or {})


class Pretrained(nn.Module):
    """A body, a head and a learned scale."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.fc = nn.Linear(8, outputs)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x)) * self.scale  # type: ignore[no-any-return]


def head_replaced_after_the_optimizer() -> Job:
    model = Pretrained()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc = nn.Linear(model.fc.in_features, 3)
    return _train(model, optimizer)


def parameter_reset_after_the_optimizer() -> Job:
    model = Pretrained(outputs=3)
    optimizer = torch.optim.Adam(model.parameters())
    model.scale = nn.Parameter(torch.tensor(0.5))
    return _train(model, optimizer)


def only_the_head_given() -> Job:
    model = Pretrained(outputs=3)
    optimizer = torch.optim.AdamW([*model.fc.parameters(), model.scale])
    return _train(model, optimizer)


def copied_from_the_generator() -> Job:
    """The line of the second optimizer is a copy of the first one's."""
    generator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 6))
    discriminator = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    for_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
    for_discriminator = torch.optim.Adam(generator.parameters(), lr=4e-3)
    real, noise = inputs(), torch.randn(8, 4)

    def step() -> None:
        fake = generator(noise)
        F.softplus(-discriminator(fake)).mean().backward()
        discriminator.zero_grad()
        judged = F.softplus(-discriminator(real)) + F.softplus(discriminator(fake.detach()))
        judged.mean().backward()

    models = {"generator": generator, "discriminator": discriminator}
    return Job(models, step, [for_generator, for_discriminator])


class PlainList(nn.Module):
    """Keeps its hidden layers in a Python list, where torch does not see them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(6, 6) for _ in range(2)]
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))  # <- layers_in_a_plain_list
        return self.head(x)  # type: ignore[no-any-return]


def layers_in_a_plain_list() -> Job:
    model = PlainList()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loose = {
        f"layers[{i}].{name}": parameter
        for i, layer in enumerate(model.layers)
        for name, parameter in layer.named_parameters()
    }
    return _train(model, optimizer, loose)


class Encoders(nn.Module):
    """Keeps its branches in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = {"low": nn.Linear(3, 4), "high": nn.Linear(3, 4)}

    def forward(self, x: Tensor) -> Tensor:
        low, high = x.split(3, dim=1)
        low = self.branches["low"](low)  # <- branches_in_a_plain_dict: *low*
        high = self.branches["high"](high)  # <- branches_in_a_plain_dict: *high*
        return torch.relu(low + high)


class PlainDict(nn.Module):
    """A head on such encoders."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = Encoders()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoders(x))  # type: ignore[no-any-return]


def branches_in_a_plain_dict() -> Job:
    model = PlainDict()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loose = {
        f"encoders.branches[{key!r}].{name}": parameter
        for key, layer in model.encoders.branches.items()
        for name, parameter in layer.named_parameters()
    }
    return _train(model, optimizer, loose)


class PlainTensors(nn.Module):
    """Tells a tensor to require a gradient, which does not make it a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3, bias=False)
        self.bias = torch.zeros(3, requires_grad=True)
        self.gates = [nn.Parameter(torch.ones(3)) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc(x) + self.bias  # <- tensors_that_are_no_parameters: bias
        return h * self.gates[0] * self.gates[1]  # <- tensors_that_are_no_parameters: gates*


def tensors_that_are_no_parameters() -> Job:
    model = PlainTensors()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loose = {"bias": model.bias, "gates[0]": model.gates[0], "gates[1]": model.gates[1]}
    return _train(model, optimizer, loose)


class Hidden(nn.Module):
    """A layer in a list in a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = ([nn.Linear(6, 8)], nn.ReLU())
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        (first,), activation = self.stages
        h = activation(first(x))  # <- hidden_without_any_optimizer
        return self.head(h)  # type: ignore[no-any-return]


def hidden_without_any_optimizer() -> Job:
    model = Hidden()
    (layer,) = model.stages[0]
    loose = {"stages[0][0].weight": layer.weight, "stages[0][0].bias": layer.bias}
    return _train(model, None, loose)


CASES = (
    Case(
        "head_replaced_after_the_optimizer",
        head_replaced_after_the_optimizer,
        layers(CAUSE, "fc"),
    ),
    Case(
        "parameter_reset_after_the_optimizer",
        parameter_reset_after_the_optimizer,
        {"scale": CAUSE},
    ),
    Case("only_the_head_given", only_the_head_given, layers(CAUSE, "body.0")),
    Case(
        "copied_from_the_generator",
        copied_from_the_generator,
        layers(CAUSE, "discriminator.0", "discriminator.2"),
    ),
    Case(
        "layers_in_a_plain_list",
        layers_in_a_plain_list,
        layers(CAUSE, "layers[0]", "layers[1]"),
    ),
    Case(
        "branches_in_a_plain_dict",
        branches_in_a_plain_dict,
        layers(CAUSE, "encoders.branches['low']", "encoders.branches['high']"),
    ),
    Case(
        "tensors_that_are_no_parameters",
        tensors_that_are_no_parameters,
        dict.fromkeys(("bias", "gates[0]", "gates[1]"), CAUSE),
    ),
    Case(
        "hidden_without_any_optimizer",
        hidden_without_any_optimizer,
        layers(CAUSE, "stages[0][0]"),
    ),
)
