"""Tensors inside what modules take and return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map, tree_map_only


def map_tensors(function: Callable[[Tensor], Tensor], nested: Any) -> Any:
    """Return ``nested`` with every tensor replaced by ``function`` of it.

    Tuples, lists, dicts and what else is registered as a pytree are made anew; an object of
    another kind (a dataclass, a distribution) keeps its identity and has the tensors that it
    holds itself replaced.
    """
    if torch.compiler.is_compiling():  # the rest is not for Dynamo to trace
        return tree_map_only(Tensor, function, nested)
    return tree_map(lambda value: _map_leaf(function, value), nested)


def _map_leaf(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    for name, held in list(getattr(value, "__dict__", {}).items()):
        if isinstance(held, Tensor) and not isinstance(value, nn.Module):
            value.__dict__[name] = function(held)
    return value


def tensors_in(nested: Any) -> list[Tensor]:
    """The tensors inside ``nested``, as :func:`map_tensors` finds them."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, nested)
    return found
