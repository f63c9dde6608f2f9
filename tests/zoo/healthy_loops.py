"""Training loops that are all right, whatever they do around the gradient."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs


class Network(nn.Module):
    """An encoder and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def gradient_accumulation() -> Job:
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        for rows, labels in zip(x.split(2), y.split(2), strict=True):
            (F.cross_entropy(model(rows), labels) / 4).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    return Job(model, step, optimizer)


def two_losses_both_backward() -> Job:
    """Two losses over one trunk, each with a head and a backward of its own."""
    trunk, left, right = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 6)
    model = nn.ModuleDict({"trunk": trunk, "left": left, "right": right})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        h = torch.tanh(trunk(x))
        F.cross_entropy(left(h), y).backward(retain_graph=True)
        F.mse_loss(right(h), x).backward()

    return Job(model, step, optimizer)


def truncated_backpropagation() -> Job:
    """Detaches its memory between chunks, and every parameter still gets its gradient."""
    embedding, cell, out = nn.Embedding(5, 6), nn.LSTMCell(6, 8), nn.Linear(8, 5)
    model = nn.ModuleDict({"embedding": embedding, "cell": cell, "out": out})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    text = torch.arange(2 * 9).reshape(2, 9) * 7 % 5

    def step() -> None:
        optimizer.zero_grad()
        memory = torch.zeros(2, 8), torch.zeros(2, 8)
        for chunk in (text[:, :5], text[:, 4:]):
            memory = memory[0].detach(), memory[1].detach()
            loss = torch.zeros(())
            for token, following in zip(chunk.T[:-1], chunk.T[1:], strict=True):
                memory = cell(embedding(token), memory)
                loss = loss + F.cross_entropy(out(memory[0]), following)
            loss.backward()

    return Job(model, step, optimizer)


def bfloat16_autocast() -> Job:
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()

    return Job(model, step, optimizer)


def adversarial() -> Job:
    """A generator and a discriminator; the fakes are detached for one of the two losses only."""
    generator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 6))
    discriminator = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    for_generator = torch.optim.Adam(generator.parameters())
    for_discriminator = torch.optim.Adam(discriminator.parameters())
    real, noise = inputs(), torch.randn(8, 4)

    def step() -> None:
        fake = generator(noise)
        for_generator.zero_grad()
        F.softplus(-discriminator(fake)).mean().backward()
        for_discriminator.zero_grad()
        judged = F.softplus(-discriminator(real)) + F.softplus(discriminator(fake.detach()))
        judged.mean().backward()

    models = {"generator": generator, "discriminator": discriminator}
    return Job(models, step, [for_generator, for_discriminator])


def much_logging() -> Job:
    """Metrics of every kind: argmax, comparison, numbers, numpy, and a forward without a graph."""
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    log: list[dict[str, object]] = []

    def step() -> None:
        optimizer.zero_grad()
        features = model.encoder(x)
        logits = model.head(features)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        with torch.no_grad():
            entropy = torch.special.entr(model(x).softmax(-1)).sum(-1).mean()
        log.append(
            {
                "loss": loss.item(),
                "accuracy": (logits.argmax(-1) == y).float().mean().item(),
                "features": features.detach().numpy().std(),
                "largest": logits.data.abs().amax(),
                "entropy": entropy,
                "confident": int((logits.softmax(-1) > 0.9).sum()),
                "weight": model.head.weight.detach().norm(),
            }
        )

    return Job(model, step, optimizer)


class Distilled(nn.Module):
    """Hides its frozen teacher in a tuple, so that it is in no parameters."""

    def __init__(self, teacher: nn.Module) -> None:
        super().__init__()
        self.student = Network()
        self.hidden = (teacher.requires_grad_(False),)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.hidden[0](x).softmax(-1)
        return F.kl_div(self.student(x).log_softmax(-1), target, reduction="batchmean")


def frozen_teacher_in_a_tuple() -> Job:
    model = Distilled(Network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        model(x).backward()

    return Job(model, step, optimizer)


def averaged_copy() -> Job:
    """An exponential moving average of the weights, kept beside the model."""
    model = Network()
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        target = average(x).softmax(-1)
        logits = model(x)
        consistency = F.mse_loss(logits.softmax(-1), target)
        (F.cross_entropy(logits, y) + consistency).backward()
        with torch.no_grad():
            for kept, now in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(now, 0.01)

    return Job(model, step, optimizer)


def policy_gradient() -> Job:
    """Samples actions, and takes the gradient of their log-probability."""
    actor, critic = nn.Linear(6, 3), nn.Linear(6, 1)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()])
    observations, returns = inputs(), torch.randn(8)

    def step() -> None:
        optimizer.zero_grad()
        policy = torch.distributions.Categorical(logits=actor(observations))
        actions = policy.sample()
        values = critic(observations).squeeze(1)
        advantage = returns - values
        surrogate = -(policy.log_prob(actions) * advantage.detach()).mean()
        (surrogate + advantage.square().mean()).backward()

    return Job({"actor": actor, "critic": critic}, step, optimizer)


def gradient_penalty() -> Job:
    """Differentiates twice."""
    critic = nn.Sequential(nn.Linear(6, 8), nn.Softplus(), nn.Linear(8, 1, bias=False))
    optimizer = torch.optim.Adam(critic.parameters())
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        points = x.clone().requires_grad_()
        score = critic(points)
        (slope,) = torch.autograd.grad(score.sum(), points, create_graph=True)
        (score.mean() + (slope.norm(dim=1) - 1).square().mean()).backward()

    return Job(critic, step, optimizer)


CASES = (
    Case("gradient_accumulation", gradient_accumulation),
    Case("two_losses_both_backward", two_losses_both_backward),
    Case("truncated_backpropagation", truncated_backpropagation),
    Case("bfloat16_autocast", bfloat16_autocast),
    Case("adversarial", adversarial),
    Case("much_logging", much_logging),
    Case("frozen_teacher_in_a_tuple", frozen_teacher_in_a_tuple),
    Case("averaged_copy", averaged_copy),
    Case("policy_gradient", policy_gradient),
    Case("gradient_penalty", gradient_penalty),
)
