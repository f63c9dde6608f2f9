"""Structures that modules take and return tensors in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

Wrap = Callable[[Tensor, Tensor], Any]

Unwrap = Callable[[Any], Tensor]


@dataclass
class Plain:
    """A dataclass."""

    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Frozen:
    """One that cannot be set."""

    first: Tensor
    second: Tensor


@dataclass
class Slotted:
    """One without a dictionary."""

    __slots__ = ("first", "second")
    first: Tensor
    second: Tensor


@dataclass
class Deep:
    """Tensors three deep."""

    inner: dict[str, list[Plain]]


class Named(NamedTuple):
    """A named tuple."""

    first: Tensor
    second: Tensor


class Loose:
    """An object that nobody registered."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        self.held = [first, second]


STRUCTURES: dict[str, tuple[Wrap, Unwrap]] = {
    "tuple": (lambda a, b: (a, b), lambda s: s[0] + s[1]),
    "list": (lambda a, b: [a, b], lambda s: s[0] + s[1]),
    "dict": (lambda a, b: {"a": a, "b": b}, lambda s: s["a"] + s["b"]),
    "nested": (lambda a, b: ([{"a": a}], (b, None, 3)), lambda s: s[0][0]["a"] + s[1][0]),
    "namedtuple": (Named, lambda s: s.first + s.second),
    "dataclass": (Plain, lambda s: s.first + s.second),
    "frozen-dataclass": (Frozen, lambda s: s.first + s.second),
    "slotted-dataclass": (Slotted, lambda s: s.first + s.second),
    "deep": (
        lambda a, b: Deep({"x": [Plain(a, b)]}),
        lambda s: s.inner["x"][0].first + s.inner["x"][0].second,
    ),
    "object": (Loose, lambda s: s.held[0] + s.held[1]),
    "with-integers": (
        lambda a, b: (a, b, torch.arange(3), a.detach()),
        lambda s: s[0] + s[1] + s[2].sum() + s[3],
    ),
}
