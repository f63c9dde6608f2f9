"""A model whose gradient can be gated by hand, and training to compare runs with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe import GateInfo
from gradgate.probe.gates.gate import Gate
from gradgate.probe.gates.gates import Gates
from gradgate.probe.model.commands import GateCommand
from gradgate.probe.session.run import Run, job_of

Place = Callable[[Tensor], Tensor]
MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: dict[str, MakeOptimizer] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, foreach=False),
    "adamw-foreach": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, foreach=True),
    "adamw-fused": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, fused=True),
}


def as_it_is(x: Tensor) -> Tensor:
    return x


def cut(x: Tensor) -> Tensor:
    return x.detach()


class _Scaled(torch.autograd.Function):
    """The identity forward; the gradient times a factor backward."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.factor, None  # type: ignore[attr-defined]


def scaled(factor: float) -> Place:
    """What a gradient reversal layer does, written by hand."""
    return lambda x: _Scaled.apply(x, factor)  # type: ignore[no-any-return,no-untyped-call]


class Branched(nn.Module):
    """An encoder, a bypass around the gated middle, and a head.

    ``stem`` reaches the loss through the middle and around it, ``encoder`` only through it.
    """

    def __init__(self, by_hand: Place = as_it_is, at: str = "") -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Linear(6, 8)
        self.encoder = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        self.bypass = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)
        self.by_hand, self.at = by_hand, at

    def place(self, x: Tensor, at: str) -> Tensor:
        return self.by_hand(x) if at == self.at else x

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        encoded = self.place(self.encoder(self.place(stem, "input")), "output")
        # A label reaches every run of the process, so the run by hand does without.
        encoded = self.place(encoded, "label") if self.at else probe.site(encoded, "encoded")
        return self.head(torch.relu(encoded + self.bypass(stem)))  # type: ignore[no-any-return]


SITES = {"input": "input:encoder", "output": "output:encoder", "label": "site:encoded"}
"""Where :class:`Branched` can be gated by hand, and the site that says the same."""
ALWAYS = {"in-forward": "True", "in-backward": "norm >= 0"}
"""Conditions that always close a gate, by when that is known."""


def data(step: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    inputs = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    return inputs.to(dtype), torch.randn(5, 3, generator=generator, dtype=torch.float64).to(dtype)


def loss_of(model: nn.Module, step: int) -> Tensor:
    inputs, targets = data(step, next(model.parameters()).dtype)
    return (model(inputs) - targets).square().mean()


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    first: int = 1,
    set_to_none: bool = True,
    before_step: Callable[[int], None] | None = None,
) -> None:
    for step in range(first, first + steps):
        optimizer.zero_grad(set_to_none=set_to_none)
        loss_of(model, step).backward()
        if before_step is not None:
            before_step(step)
        optimizer.step()


def pair(
    theirs: nn.Module, ours: nn.Module, kind: str = "adamw"
) -> list[tuple[nn.Module, torch.optim.Optimizer]]:
    """Both with an optimizer of their own."""
    return [(model, OPTIMIZERS[kind](list(model.parameters()))) for model in (theirs, ours)]


@contextmanager
def attached(
    model: nn.Module, optimizer: torch.optim.Optimizer | None = None, every: int = 1
) -> Iterator[Run]:
    with probe.attach(model, optimizer, server=False, every=every) as run:
        yield run


def parts(run: Run) -> Gates:
    """The parts that the gates of a run are made of."""
    return job_of(run).gates


def command(site: str, **options: Any) -> GateCommand:
    return GateCommand(site, site=site, by="python", **options)


def gates_at_work(run: Run) -> list[Gate]:
    return parts(run).registry.all()


def broken(*_: object, **__: object) -> Any:
    """Stands in for what fails inside of Gradgate."""
    raise ArithmeticError("broken")


def gradients(model: nn.Module) -> dict[str, bytes | None]:
    """Every gradient's bits, None where there is none."""
    return {
        name: None if p.grad is None else p.grad.to_dense().numpy(force=True).tobytes()
        for name, p in model.named_parameters()
    }


def weights(model: nn.Module) -> dict[str, bytes]:
    return {name: p.numpy(force=True).tobytes() for name, p in model.named_parameters()}


def memories(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, list[bytes]]:
    """The bits of the optimizer's state, by the name of the parameter."""
    return {
        name: [torch.as_tensor(value).numpy().tobytes() for value in optimizer.state[p].values()]
        for name, p in model.named_parameters()
        if p in optimizer.state
    }


def states(run: Run) -> dict[str, str]:
    return {info.name: info.state for info in run.parameters()}


def only_gate(run: Run) -> GateInfo:
    (gate,) = run.gates()
    return gate


def closed_in(run: Run, model: nn.Module, steps: int, **metrics: Any) -> list[int]:
    """Make steps by hand; return those in which the one gate was closed."""
    closed = []
    for step in range(1, steps + 1):
        model.zero_grad()
        values = {name: value(step) for name, value in metrics.items()}
        run.log(values)
        loss_of(model, step).backward()
        run.step()
        if only_gate(run).closed:
            closed.append(step)
    return closed


def both(ours: nn.Module, theirs: nn.Module, *sites: str, **gate: Any) -> list[GateInfo]:
    """Train both for three steps, the first with gates at ``sites``; both end up the same."""
    optimizers = [OPTIMIZERS["sgd"](list(m.parameters())) for m in (theirs, ours)]
    with attached(ours, optimizers[1]) as run:
        for site in sites:
            run.gate(site, **gate)
        for model, optimizer in zip((theirs, ours), optimizers, strict=True):
            train(model, optimizer, 3)
        assert gradients(ours) == gradients(theirs)
        assert weights(ours) == weights(theirs)
        return run.gates()
