"""Rows for how a training loop is written."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.optim import SGD, AdamW

from .. import data, models
from ..row import Job, Row

PARTS = 3


def _accumulating() -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = AdamW(model.parameters(), lr=0.05)

    def step(number: int) -> None:
        for part in range(PARTS):
            (data.loss(model, PARTS * number + part) / PARTS).backward()
        optimizer.step()
        optimizer.zero_grad()

    return Job(model, [optimizer], step)


def _clipping() -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(number: int) -> None:
        optimizer.zero_grad()
        data.loss(model, number).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        optimizer.step()

    return Job(model, [optimizer], step)


def _zeroing() -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = AdamW(model.parameters(), lr=0.05)

    def step(number: int) -> None:
        optimizer.zero_grad(set_to_none=False)
        data.loss(model, number).backward()
        optimizer.step()

    return Job(model, [optimizer], step)


def _gan() -> Job:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, data.FEATURES))
    discriminator = nn.Sequential(nn.Linear(data.FEATURES, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    of_generator = AdamW(generator.parameters(), lr=0.01)
    of_discriminator = AdamW(discriminator.parameters(), lr=0.01)

    def step(number: int) -> None:
        real = data.inputs(number)
        fake = generator(real[:, :2])
        of_discriminator.zero_grad()
        loss = discriminator(fake.detach()).mean() - discriminator(real).mean()
        if loss.requires_grad or not job.by_hand:
            loss.backward()
        of_discriminator.step()
        of_generator.zero_grad()
        (-discriminator(fake).mean()).backward()
        of_generator.step()

    both = {"generator": generator, "discriminator": discriminator}
    job = Job(both, [of_discriminator, of_generator], step)
    return job


def _alternating(*, set_to_none: bool) -> Job:
    torch.manual_seed(0)
    model = models.TwoHeads()
    optimizer = AdamW(model.parameters(), lr=0.05)

    def step(number: int) -> None:
        optimizer.zero_grad(set_to_none=set_to_none)
        output = model(data.inputs(number), number % 2)
        nn.functional.cross_entropy(output, data.labels(number)).backward()
        optimizer.step()

    return Job(model, [optimizer], step)


def _penalised() -> Job:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(data.FEATURES, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = AdamW(critic.parameters(), lr=0.05)

    def step(number: int) -> None:
        optimizer.zero_grad()
        x = data.inputs(number).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        loss = critic(data.inputs(-number)).mean() + (slope.norm(dim=1) - 1).square().mean()
        if loss.requires_grad or not job.by_hand:
            loss.backward()
        optimizer.step()

    job = Job(critic, [optimizer], step)
    return job


def _assigned(*, functional: bool) -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = AdamW(model.parameters(), lr=0.05)

    def loss(given: dict[str, Tensor], number: int) -> Tensor:
        output = functional_call(model, given, (data.inputs(number),))
        return nn.functional.cross_entropy(output, data.labels(number))

    def step(number: int) -> None:
        wanted = {n: p for n, p in model.named_parameters() if p.requires_grad or not job.by_hand}
        if functional:
            found = grad(loss)({name: p.detach() for name, p in wanted.items()}, number)
        else:
            grads = torch.autograd.grad(data.loss(model, number), list(wanted.values()))
            found = dict(zip(wanted, grads, strict=True))
        for name, parameter in wanted.items():
            parameter.grad = found[name]
        optimizer.step()

    job = Job(model, [optimizer], step)
    return job


ROWS = (
    Row("Gradient accumulation", _accumulating, "encoder"),
    Row("Gradient clipping", _clipping, "encoder.0"),
    Row("zero_grad(set_to_none=False)", _zeroing, "encoder"),
    Row("Two optimizers (GAN), the discriminator frozen", _gan, "discriminator"),
    Row("Two optimizers (GAN), a part of the generator frozen", _gan, "generator.0"),
    Row("Gradient penalty (WGAN-GP)", _penalised, "0"),
    Row(
        "Gradients from autograd.grad, assigned by hand",
        lambda: _assigned(functional=False),
        "encoder.0",
    ),
    Row(
        "Gradients from torch.func.grad, assigned by hand",
        lambda: _assigned(functional=True),
        "encoder.0",
    ),
    Row("Alternating losses", lambda: _alternating(set_to_none=True), "heads.0"),
    Row(
        "Alternating losses, zero_grad(set_to_none=False)",
        lambda: _alternating(set_to_none=False),
        "heads.0",
    ),
)
