"""Custom functions whose backward is not the derivative of their forward, and some whose is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .case import Case, Job, inputs, layers

CAUSE = "wrong_backward"
Context = Any


def _fit(model: nn.Module, x: Tensor) -> Job:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()

    return Job(model, step, optimizer)


class Between(nn.Module):
    """A function between two layers."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.encoder(x)))  # type: ignore[no-any-return]


class ForgottenTerm(Function):
    """Swish, with the first term of the product rule only."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * torch.sigmoid(x)


swish = ForgottenTerm.apply
"""Under a name of its own, as such functions mostly are."""


class WithForgottenTerm(Between):
    """Applies it under that name."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        h = swish(h)  # type: ignore[no-untyped-call]  # <- term_of_the_product_rule
        return self.head(h)  # type: ignore[no-any-return]


class MeanedBias(Function):
    """An affine map whose backward takes the mean over the batch for the bias, not the sum."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return x @ weight.T + bias

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor, ...]:
        x, weight = ctx.saved_tensors
        return grad @ weight, grad.T @ x, grad.mean(0)


class Affine(nn.Module):
    """A layer of its own function."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.weight, self.bias = nn.Parameter(torch.randn(3, 8)), nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.encoder(x))
        return MeanedBias.apply(h, self.weight, self.bias)  # type: ignore[no-any-return,no-untyped-call]  # <- mean_over_the_batch


class SwappedInputs(Function):
    """A product of two, whose backward gives each the gradient of the other."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, y = ctx.saved_tensors
        return grad * x, grad * y


class Gate(nn.Module):
    """A value and a gate, each from a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate, self.head = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.value(x), torch.sigmoid(self.gate(x))
        h = SwappedInputs.apply(value, gate)  # type: ignore[no-untyped-call]  # <- gradients_that_are_swapped
        return self.head(h)  # type: ignore[no-any-return]


class Rounded(Function):
    """A straight-through estimator: meant, and no derivative all the same."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> Tensor:
        return grad


class Quantised(Between):
    """Rounds its features."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        h = Rounded.apply(h)  # type: ignore[no-untyped-call]  # <- straight_through
        return self.head(h)  # type: ignore[no-any-return]


class Reversal(Function):
    """A gradient reversal, as of domain adaptation: meant, too."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * grad, None


class Adversarial(Between):
    """Trains its encoder against its head."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        h = Reversal.apply(h, 0.3)  # type: ignore[no-untyped-call]  # <- gradients_that_are_reversed
        return self.head(h)  # type: ignore[no-any-return]


CASES = (
    Case(
        "term_of_the_product_rule",
        lambda: _fit(WithForgottenTerm(torch.relu), inputs()),
        layers(CAUSE, "encoder"),
    ),
    Case("mean_over_the_batch", lambda: _fit(Affine(), inputs()), {"bias": CAUSE}),
    Case(
        "gradients_that_are_swapped",
        lambda: _fit(Gate(), inputs()),
        layers(CAUSE, "value", "gate"),
    ),
    Case(
        "straight_through",
        lambda: _fit(Quantised(torch.relu), inputs()),
        layers(CAUSE, "encoder"),
    ),
    Case(
        "gradients_that_are_reversed",
        lambda: _fit(Adversarial(torch.relu), inputs()),
        layers(CAUSE, "encoder"),
    ),
)
"""Found when asked for (``check_backward=True``), meant or not."""


class Rectified(Function):
    """Has a kink, at which many inputs may lie."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x > 0)


class Dropped(Function):
    """Draws random numbers in its forward."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, rate: float) -> Tensor:
        kept = (torch.rand_like(x) >= rate) / (1 - rate)
        ctx.save_for_backward(kept)
        return x * kept

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return grad * kept, None


class Narrow(Function):
    """Computes in float32 whatever it is given, and gives float32."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        y = x.float().exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return grad * y


class Extremes(Function):
    """Gives several results, one of them of whole numbers."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> tuple[Tensor, Tensor]:
        top, index = x.max(1, keepdim=True)
        ctx.mark_non_differentiable(index)
        ctx.save_for_backward(index, x)
        return top, index

    @staticmethod
    def backward(ctx: Context, grad: Tensor, _: Tensor) -> Tensor:
        index, x = ctx.saved_tensors
        return torch.zeros_like(x).scatter(1, index, grad)


def _zeros_before(function: Callable[[Tensor], Tensor]) -> Job:
    """The inputs of the function are exactly zero."""
    model = Between(function)
    nn.init.zeros_(model.encoder.bias)
    x = inputs()
    x[2:5] = 0.0
    return _fit(model, x)


def function(kind: type[Function], *more: Any) -> Callable[[Tensor], Tensor]:
    """A function of one tensor, with its other arguments given."""
    return lambda x: kind.apply(x, *more)  # type: ignore[no-any-return,no-untyped-call]


RIGHT = (
    Case("rectified_at_zero", lambda: _zeros_before(function(Rectified))),
    Case("dropped", lambda: _fit(Between(function(Dropped, 0.5)), inputs())),
    Case("narrow", lambda: _fit(Between(function(Narrow)), inputs())),
    Case(
        "extremes",
        lambda: _fit(Between(lambda x: x * Extremes.apply(x)[0]), inputs()),  # type: ignore[no-untyped-call]
    ),
)
"""Their backwards are right, and nothing is said."""
