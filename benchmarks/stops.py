"""Ways to keep the gradient from the lower part of a model, and the models they are tried on.

Each is set up on a network of its own, all with the same weights, so that they can take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.optim import Optimizer

from gradgate import probe

BLOCKS = 12


class Network(nn.Module):
    """Blocks below, and a head above what stops the gradient."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.around: Callable[[], AbstractContextManager[object]] = nullcontext
        """The context that the body runs in."""
        self.between: Callable[[Tensor], Tensor] = _same
        """What the body's output goes through on its way to the head."""

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch to logits."""
        with self.around():
            x = self.body(x)
        logits: Tensor = self.head(self.between(x))
        return logits


@dataclass(frozen=True)
class Case:
    """A network and a batch."""

    name: str
    model: Network
    loss: Callable[[Network], Tensor]

    def copy(self) -> Network:
        """Return another network with the same weights, not with copies of them."""
        model = deepcopy(self.model)
        for mine, shared in zip(model.parameters(), self.model.parameters(), strict=True):
            mine.data = shared.data
        return model


def mlp() -> Case:
    """Twelve blocks of width 1024, with 6,144 classes above."""
    return perceptron("MLP", width=1024, classes=6144)


def wide() -> Case:
    """Twelve blocks of width 2048, with 28,672 classes above."""
    return perceptron("wide MLP", width=2048, classes=28672)


def perceptron(name: str, width: int, classes: int, neck: int = 16, rows: int = 256) -> Case:
    """Return twelve blocks, and a head with a narrow neck, on 256 rows.

    A gate needs the gradient that arrives at it, which ``requires_grad=False`` does not: the
    neck keeps that cheap beside the rest of the head.
    """
    blocks = [layer for _ in range(BLOCKS) for layer in (nn.Linear(width, width), nn.ReLU())]
    head = nn.Sequential(nn.Linear(width, neck), nn.ReLU(), nn.Linear(neck, classes))
    model = Network(nn.Sequential(*blocks), head)
    x, wanted = torch.randn(rows, width), torch.randint(classes, (rows,))
    return Case(name, model, lambda model: F.cross_entropy(model(x), wanted))


def transformer() -> Case:
    """Twelve layers of width 256 on 4 sequences of 64; the head is a norm and 1,024 classes."""
    width, sequences, length, classes = 256, 4, 64, 1024
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
    body = nn.TransformerEncoder(layer, BLOCKS, enable_nested_tensor=False)
    model = Network(body, nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes)))
    x, wanted = torch.randn(sequences, length, width), torch.randint(classes, (sequences, length))
    return Case("transformer", model, lambda model: F.cross_entropy(model(x).mT, wanted))


CASES: dict[str, Callable[[], Case]] = {"mlp": mlp, "wide": wide, "transformer": transformer}


class Nothing:
    """The gradient flows."""

    label = "nothing"
    leaves: str = "values"
    """What the blocks' parameters have after a backward: values, zeros or None."""

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Stop the gradient from now on."""

    def after_step(self, loss: Tensor) -> None:
        """See the end of a step."""

    def check(self, model: Network) -> None:
        """Raise if the last backward left something else in the blocks than it should."""
        grads = [parameter.grad for parameter in model.body.parameters()]
        if self.leaves == "None":
            right = all(grad is None for grad in grads)
        else:
            wanted = self.leaves == "values"
            right = all(grad is not None and bool(grad.any()) is wanted for grad in grads)
        if not right:
            raise RuntimeError(f"{self.label}: the blocks' gradients are no {self.leaves}")

    def end(self, model: Network) -> None:
        """Leave the model as it was."""
        model.around, model.between = nullcontext, _same


class RequiresGrad(Nothing):
    """``requires_grad=False`` for all that is below: what the others are compared with."""

    label = "requires_grad=False"
    leaves = "None"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Freeze the blocks."""
        model.body.requires_grad_(False)

    def end(self, model: Network) -> None:
        """Thaw them."""
        model.body.requires_grad_(True)


class RequiresGradAgain(RequiresGrad):
    """The noise: the same against the same."""

    label = "requires_grad=False again (noise)"


class NoGrad(Nothing):
    """The blocks run without a graph."""

    label = "no_grad around the blocks"
    leaves = "None"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Let them run so."""
        model.around = torch.no_grad


class Detach(Nothing):
    """The blocks' graph is let go of where the head begins."""

    label = "detach of their output"
    leaves = "None"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Detach."""
        model.between = Tensor.detach


class Zeroing(Nothing):
    """What is often written: zeros flow on."""

    label = "zeroing custom function"
    leaves = "zeros"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Put the function in between."""
        model.between = _Zero.apply


class Pruning(Nothing):
    """The same with nothing instead of zeros: the least that stopping in the backward costs."""

    label = "custom function that returns None"
    leaves = "None"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Put the function in between."""
        model.between = _Prune.apply


class Gated(Nothing):
    """A closed gate of the probe's, or several, without a server."""

    leaves = "None"

    def __init__(
        self, label: str, *sites: str, when: str = "True", every: int | None = None
    ) -> None:
        self.label = label
        self._sites = sites
        self._when = when
        self._every = every

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Attach and make the gates."""
        self._run: Any = probe.attach(model, optimizer, server=False, every=self._every)
        self._run.log(loss=1.0)
        for site in self._sites or _parameters(model):
            self._run.gate(site, when=self._when)

    def after_step(self, loss: Tensor) -> None:
        """Log the metric that a condition may name."""
        self._run.log(loss=loss.detach())

    def check(self, model: Network) -> None:
        """See also that every gate was closed in every step."""
        super().check(model)
        for gate in self._run.gates():
            if not gate.closed or gate.closed_steps != gate.steps or gate.problem:
                raise RuntimeError(f"{self.label}: {gate}")

    def end(self, model: Network) -> None:
        """Leave the model; its gates go."""
        self._run.detach()


class Watched(Gated):
    """The probe without a gate: what it costs in any case."""

    leaves = "values"

    def begin(self, model: Network, optimizer: Optimizer) -> None:
        """Attach."""
        self._run = probe.attach(model, optimizer, server=False, every=self._every)


OUTPUT_GATE = "gate output:body, when True"
METRIC_GATE = "gate output:body, on a metric"


def ways() -> list[Nothing]:
    """Every way, the one to compare with first."""
    return [
        RequiresGrad(),
        RequiresGradAgain(),
        NoGrad(),
        Detach(),
        Pruning(),
        Gated(OUTPUT_GATE, "output:body"),
        Gated(f"{OUTPUT_GATE}, every=1", "output:body", every=1),
        Gated(METRIC_GATE, "output:body", when="loss > 0"),
        Gated("gate output:body, on the norm", "output:body", when="norm >= 0"),
        Gated("gate input:head, when True", "input:head"),
        Gated("gates param:… of all blocks, when True"),
        Zeroing(),
        Watched("nothing, and the probe attached"),
        Nothing(),
    ]


class _Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return torch.zeros_like(grad)


class _Prune(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> None:
        return None


def _same(x: Tensor) -> Tensor:
    return x


def _parameters(model: Network) -> list[str]:
    """The site of every parameter of the blocks."""
    return [f"param:body.{name}" for name, _ in model.body.named_parameters()]
