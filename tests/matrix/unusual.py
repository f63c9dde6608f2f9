"""Small models that are made of what few models are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils import _pytree as pytree

from .data import CLASSES, FEATURES
from .models import HIDDEN


class Containers(nn.Module):
    """Parameters and layers in the containers that torch has for them."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ParameterDict(
            {"in": torch.randn(FEATURES, HIDDEN), "shift": torch.zeros(HIDDEN)}
        )
        self.list = nn.ParameterList([torch.randn(HIDDEN, HIDDEN)])
        self.heads = nn.ModuleDict({"main": nn.Linear(HIDDEN, CLASSES)})

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(x @ self.maps["in"] + self.maps["shift"])
        return self.heads["main"](torch.tanh(x @ self.list[0]))  # type: ignore[no-any-return]


class Lazy(nn.Module):
    """Layers that get their weights in the first forward."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LazyLinear(HIDDEN)
        self.head = nn.LazyLinear(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.encoder(x)))  # type: ignore[no-any-return]


class Parametrized(nn.Module):
    """Weights that are computed from others in each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.utils.parametrizations.weight_norm(nn.Linear(FEATURES, HIDDEN))
        self.middle = nn.utils.parametrizations.spectral_norm(nn.Linear(HIDDEN, HIDDEN))
        self.head = nn.utils.parametrizations.orthogonal(nn.Linear(HIDDEN, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.middle(torch.tanh(self.encoder(x)))))  # type: ignore[no-any-return]


class FakeQuantized(nn.Linear):
    """A layer that trains for 8 bits: its weight is rounded, and its gradient goes straight on."""

    def forward(self, x: Tensor) -> Tensor:
        """Round the weight to 8 bits, and apply it."""
        scale = float(self.weight.detach().abs().max()) / 127 + 1e-6
        rounded = torch.fake_quantize_per_tensor_affine(self.weight, scale, 0, -128, 127)
        return nn.functional.linear(x, rounded, self.bias)


class QuantizationAware(nn.Module):
    """Two such layers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = FakeQuantized(FEATURES, HIDDEN)
        self.head = FakeQuantized(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.encoder(x)))  # type: ignore[no-any-return]


class Complex(nn.Module):
    """Layers of complex numbers below a real head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(FEATURES, HIDDEN, dtype=torch.complex64)
        self.middle = nn.Linear(HIDDEN, HIDDEN, dtype=torch.complex64)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.encoder(x.to(torch.complex64)))
        return self.head(torch.tanh(self.middle(x)).abs())  # type: ignore[no-any-return]


class Int8Tensor(Tensor):
    """A tensor that is kept in 8 bits with a scale, as quantised weights of a base model are."""

    codes: Tensor
    scale: Tensor

    @staticmethod
    def __new__(cls: type[Int8Tensor], codes: Tensor, scale: Tensor) -> Int8Tensor:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined,no-any-return]
            cls, codes.shape, dtype=scale.dtype, device=codes.device
        )

    def __init__(self, codes: Tensor, scale: Tensor) -> None:
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["codes", "scale"], None

    @staticmethod
    def __tensor_unflatten__(
        inner: Mapping[str, Tensor], context: None, size: object, stride: object
    ) -> Int8Tensor:
        return Int8Tensor(inner["codes"], inner["scale"])

    @classmethod
    def __torch_dispatch__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is torch.ops.aten.detach.default:
            return Int8Tensor(arguments[0].codes, arguments[0].scale)
        given, named = pytree.tree_map_only(Int8Tensor, _dense, (arguments, dict(options or {})))
        return function(*given, **named)


def _dense(tensor: Int8Tensor) -> Tensor:
    return tensor.codes.to(tensor.scale.dtype) * tensor.scale


def int8(weight: Tensor) -> nn.Parameter:
    """Return a weight as a frozen parameter of 8 bits."""
    scale = weight.detach().abs().max() / 127
    codes = (weight.detach() / scale).round().to(torch.int8)
    return nn.Parameter(Int8Tensor(codes, scale), requires_grad=False)


class Adapted(nn.Module):
    """A base in 8 bits that is not trained, and an adapter of low rank beside it that is."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(FEATURES, HIDDEN)
        self.base.weight = int8(self.base.weight)
        self.down = nn.Linear(FEATURES, 2, bias=False)
        self.up = nn.Linear(2, HIDDEN, bias=False)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.base(x) + self.up(self.down(x))))  # type: ignore[no-any-return]


@dataclass
class Encoded:
    """What an encoder returns."""

    hidden: Tensor
    scores: Tensor


@dataclass(eq=False)
class Encoder(nn.Module):
    """A module that is a dataclass, and returns one."""

    width: int

    def __post_init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, self.width)
        self.score = nn.Linear(self.width, CLASSES)

    def forward(self, x: Tensor) -> Encoded:
        hidden = torch.tanh(self.layer(x))
        return Encoded(hidden, self.score(hidden))


class Dataclasses(nn.Module):
    """A head upon both of what such an encoder returns."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(HIDDEN)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encoder(x)
        return self.head(encoded.hidden) + encoded.scores  # type: ignore[no-any-return]


class Momentum8Bit(Optimizer):
    """SGD with a momentum of 8 bits: codes, and a scale for each parameter."""

    def __init__(self, params: Any, lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move what has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["momentum"])

    def _move(self, parameter: Tensor, lr: float, momentum: float) -> None:
        state = self.state[parameter]
        if not state:
            state["codes"] = torch.zeros(parameter.shape, dtype=torch.int8)
            state["scale"] = torch.ones(())
        moved = state["codes"].float() * state["scale"] * momentum + parameter.grad
        state["scale"] = moved.abs().max() / 127 + 1e-12
        state["codes"] = (moved / state["scale"]).round().to(torch.int8)
        parameter.add_(moved, alpha=-lr)
