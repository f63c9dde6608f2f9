"""Training loops that write to their gradients, and are all right."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, inputs
from .healthy_loops import Network


def clipped_twice() -> Job:
    """By value and by norm, after they were unscaled."""
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        scaler.scale(F.cross_entropy(model(x), y)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        scaler.update()

    return Job(model, step, optimizer)


def noisy_and_centred() -> Job:
    """Adds noise, takes the mean of rows away, and averages over parts, all on the gradients."""
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        for part in (slice(0, 4), slice(4, 8)):
            F.cross_entropy(model(x[part]), y[part]).backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        torch._foreach_div_(grads, 2.0)
        for grad in grads:
            if grad.dim() > 1:
                grad.data.sub_(grad.mean(dim=1, keepdim=True))
            grad.add_(torch.randn_like(grad), alpha=0.01)

    return Job(model, step, optimizer)


def conflicting_tasks() -> Job:
    """Takes each task's gradient away, projects them on each other, and puts the sum back."""
    model = Network()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = inputs(), classes()

    def gradients(loss: Tensor) -> list[Tensor]:
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    def step() -> None:
        logits = model(x)
        tasks = F.cross_entropy(logits, y), logits.square().mean()
        first, second = map(gradients, tasks)
        optimizer.zero_grad()
        for parameter, one, other in zip(model.parameters(), first, second, strict=True):
            overlap = (one * other).sum().clamp(max=0) / other.square().sum()
            parameter.grad = one - overlap * other + other

    return Job(model, step, optimizer)


def flat_gradients() -> Job:
    """Keeps all gradients in one buffer, which is cleared before the backward and scaled after."""
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    parameters = list(model.parameters())
    buffer = torch.zeros(sum(p.numel() for p in parameters))
    pieces = buffer.split([p.numel() for p in parameters])

    def step() -> None:
        buffer.zero_()
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
        F.cross_entropy(model(x), y).backward()
        buffer.mul_(1.0 / buffer.norm())
        buffer.numpy().clip(-1.0, 1.0, out=buffer.numpy())

    return Job(model, step, optimizer)


def masked_rows() -> Job:
    """Lets no gradient into the row of the padding, by hand, and reverses one layer by a hook."""
    model = nn.ModuleDict({"embed": nn.Embedding(8, 6), "head": nn.Linear(6, 3)})
    optimizer = torch.optim.AdamW(model.parameters())
    tokens, y = torch.arange(8), classes()
    model["head"].bias.register_hook(torch.neg)
    model["head"].weight.register_post_accumulate_grad_hook(lambda weight: print(end=""))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model["head"](model["embed"](tokens)), y).backward()
        model["embed"].weight.grad[0] = 0

    return Job(model, step, optimizer)


def toggled_adversaries() -> Job:
    """Switches the critic off while the generator trains, as CycleGAN does, and on again."""
    generator, critic = nn.Linear(6, 6), nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizers = [torch.optim.Adam(each.parameters()) for each in (generator, critic)]
    x = inputs()

    def step() -> None:
        critic.requires_grad_(False)
        optimizers[0].zero_grad()
        fake = generator(x)
        (-critic(fake).mean()).backward()
        critic.requires_grad_(True)
        optimizers[1].zero_grad()
        (critic(fake.detach()).square().mean() - critic(x).mean()).backward()

    return Job({"generator": generator, "critic": critic}, step, optimizers)


def gradients_of_a_copy() -> Job:
    """Meta-learning by Reptile's way: a copy's gradients are put into the model."""
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        fast = copy.deepcopy(model)
        inner = torch.optim.SGD(fast.parameters(), lr=0.1)
        F.cross_entropy(fast(x), y).backward()
        inner.step()
        fast.zero_grad(set_to_none=False)
        for parameter, moved in zip(model.parameters(), fast.parameters(), strict=True):
            parameter.grad = (parameter - moved).detach()

    return Job(model, step, optimizer)


CASES = (
    Case("clipped_twice", clipped_twice),
    Case("noisy_and_centred", noisy_and_centred),
    Case("conflicting_tasks", conflicting_tasks),
    Case("flat_gradients", flat_gradients),
    Case("masked_rows", masked_rows),
    Case("toggled_adversaries", toggled_adversaries),
    Case("gradients_of_a_copy", gradients_of_a_copy),
)
