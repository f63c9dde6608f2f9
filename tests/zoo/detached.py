"""Cut out of the graph by ``detach``, ``data`` and their like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from .case import Case, Job, classifier, inputs, layers


class Debugged(nn.Module):
    """A detach that was put there to look at the features, and stayed."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.encoder(x)).detach()  # <- left_from_debugging
        return self.head(h)  # type: ignore[no-any-return]


class Arithmetic(nn.Module):
    """Rescales its features by way of ``.data``."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        h = h.data * (8**0.5)  # <- arithmetic_on_data
        return self.head(h)  # type: ignore[no-any-return]


class Rewrapped(nn.Module):
    """Makes a new parameter of an old one in every forward."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        gain = nn.Parameter(self.gain.data * 2)  # <- parameter_wrapped_anew
        return self.fc(x) * gain  # type: ignore[no-any-return]


class Saliency(nn.Module):
    """Makes its features a leaf, to read their gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.classify = nn.Linear(8, 3)
        self.activations: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(x)
        h = h.clone().detach().requires_grad_()  # <- features_made_a_leaf
        self.activations = h
        return self.classify(h)  # type: ignore[no-any-return]


class FromState(nn.Module):
    """Shares the key's weight with the query by its state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(6, 6, bias=False)
        self.value = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.key.state_dict()["weight"]  # <- weight_from_a_state_dict
        return self.value(F.linear(x, weight))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Its weights are detached two modules below the model."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 4)
        self.key = nn.Linear(6, 4)
        self.value = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        weights = (self.query(x) @ self.key(x).T / 2.0).softmax(-1)
        weights = weights.detach()  # <- two_modules_deep
        return weights @ self.value(x)  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.attention(x))  # type: ignore[no-any-return]


class Deep(nn.Module):
    """Two layers of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 6)
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)  # type: ignore[no-any-return]


class TwoPaths(nn.Module):
    """One feature, two branches, each cut in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(6, 8)
        self.left = nn.Linear(8, 3)
        self.right = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.shared(x))
        left = self.left(h.detach())  # <- a_cut_on_each_of_two_paths
        right = self.right(h.data.abs())  # <- a_cut_on_each_of_two_paths
        return left + right  # type: ignore[no-any-return]


class Iterated(nn.Module):
    """A block that is called in a loop and lets go of what it was given each time."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 6)
        self.refine = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for _ in range(3):
            h = torch.tanh(self.refine(h.detach()))  # <- detached_in_a_loop
        return self.head(h)  # type: ignore[no-any-return]


class MomentumContrast(nn.Module):
    """A key encoder that was to follow the query encoder, and is in the optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 4)
        self.key = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        query = F.normalize(self.query(x), dim=-1)
        keys = F.normalize(self.key(x), dim=-1).detach()  # <- keys_of_a_momentum_encoder
        return query @ keys.T / 0.2


def keys_of_a_momentum_encoder() -> Job:
    model = MomentumContrast()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), torch.arange(8))
        loss.backward()

    return Job(model, step, optimizer)


class HyperNetwork(nn.Module):
    """Writes the weights of a small network, by a function that assigns to ``.data``."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(4))
        self.generate = nn.Linear(4, 21)
        self.primary = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        flat = self.generate(self.code)
        vector_to_parameters(flat, self.primary.parameters())  # <- weights_written_into_data
        return self.primary(x)  # type: ignore[no-any-return]


class LanguageModel(nn.Module):
    """Learns where its memory starts, and detaches it before the first chunk already."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, 8))
        self.embedding = nn.Embedding(5, 6)
        self.cell = nn.GRUCell(6, 8)
        self.out = nn.Linear(8, 5)

    def forward(self, tokens: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        logits = []
        for token in tokens.unbind(1):
            memory = self.cell(self.embedding(token), memory)
            logits.append(self.out(memory))
        return torch.stack(logits, dim=1), memory


def repackage(memory: Tensor) -> Tensor:
    """Forget where the memory came from, so that backward stops at this chunk."""
    return memory.detach()  # <- start_of_truncated_backpropagation


def start_of_truncated_backpropagation() -> Job:
    model = LanguageModel()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    text = torch.arange(2 * 9).reshape(2, 9) * 7 % 5

    def step() -> None:
        memory = model.start.expand(2, -1)
        for chunk in (text[:, :5], text[:, 4:]):
            memory = repackage(memory)
            optimizer.zero_grad()
            logits, memory = model(chunk[:, :-1], memory)
            F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten()).backward()

    return Job(model, step, optimizer)


def adversary_with_a_detach_too_many() -> Job:
    """The generator's own loss looks at the fakes that were detached for the discriminator."""
    generator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 6))
    discriminator = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    optimizers = [torch.optim.Adam(m.parameters()) for m in (generator, discriminator)]
    real, noise = inputs(), torch.randn(8, 4)
    ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)

    def step() -> None:
        fake = generator(noise).detach()  # <- adversary_with_a_detach_too_many
        judge = F.binary_cross_entropy_with_logits
        (judge(discriminator(real), ones) + judge(discriminator(fake), zeros)).backward()
        judge(discriminator(fake), ones).backward()

    return Job({"generator": generator, "discriminator": discriminator}, step, optimizers)


CASES = (
    Case("left_from_debugging", lambda: classifier(Debugged()), layers("detached", "encoder")),
    Case("arithmetic_on_data", lambda: classifier(Arithmetic()), layers("detached", "encoder")),
    Case("parameter_wrapped_anew", lambda: classifier(Rewrapped()), {"gain": "detached"}),
    Case("features_made_a_leaf", lambda: classifier(Saliency()), layers("detached", "features.0")),
    Case("weight_from_a_state_dict", lambda: classifier(FromState()), {"key.weight": "detached"}),
    Case(
        "two_modules_deep",
        lambda: classifier(Deep()),
        layers(
            "detached", *(f"layers.{i}.attention.{n}" for i in (0, 1) for n in ("query", "key"))
        ),
    ),
    Case(
        "a_cut_on_each_of_two_paths",
        lambda: classifier(TwoPaths()),
        layers("detached", "shared"),
    ),
    Case("detached_in_a_loop", lambda: classifier(Iterated()), layers("detached", "stem")),
    Case(
        "keys_of_a_momentum_encoder",
        keys_of_a_momentum_encoder,
        layers("detached", "key"),
    ),
    Case(
        "weights_written_into_data",
        lambda: classifier(HyperNetwork()),
        {"code": "detached", **layers("detached", "generate")},
    ),
    Case(
        "start_of_truncated_backpropagation",
        start_of_truncated_backpropagation,
        {"start": "detached"},
    ),
    Case(
        "adversary_with_a_detach_too_many",
        adversary_with_a_detach_too_many,
        layers("detached", "generator.0", "generator.2"),
    ),
)
