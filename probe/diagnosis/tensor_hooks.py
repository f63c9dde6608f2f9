"""Hooks of the script's on tensors, and the lines that registered them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import getattr_static, unwrap
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor

from ..base.source import Callers, Chain, Place
from ..measure.checksums import checksums
from ..model.graph_walk import key_of
from ..model.table import is_uninitialized
from ..torch_compat.tensors import hooks_on, wraps_others
from .leaf_keys import LeafKeys

REGISTER = frozenset({"register_hook", "register_post_accumulate_grad_hook"})
"""The methods of a tensor that put a hook on it."""


@dataclass(frozen=True)
class Hook:
    """A hook, and the best line that is known of it."""

    place: Place | None
    registered: bool
    """The line registered it in the traced step; else the hook's function begins there."""


class TensorHooks:
    """Knows the hooks that a backward of a traced step runs through.

    Those on the results of calls are registered in the step itself, which is seen; those on
    parameters mostly before it, and then they are found on the parameters.
    """

    def __init__(self) -> None:
        self._registered: dict[object, Chain] = {}
        """By the key of the node that made the tensor, or of a leaf."""
        self._on_leaf: dict[int, Hook] = {}
        self._before: list[tuple[Tensor, int]] = []
        """Parameters with hooks of the script's, and their checksums before the backward."""
        self._moved: set[int] = set()
        self.keys: set[object] = set()
        """Of every tensor with a hook, Gradgate's own too: as in the above."""

    def add(self, tensor: Tensor, chain: Chain, keys: LeafKeys) -> None:
        """Take in that a hook was registered."""
        key = keys.of(tensor) if tensor.grad_fn is None else key_of(tensor.grad_fn)
        self._registered[key] = chain
        self.keys.add(key)

    def look(self, parameters: Iterable[Tensor], callers: Callers, keys: LeafKeys) -> None:
        """Look at the hooks on parameters, and on what stands for them, just before a backward."""
        hooked: list[Tensor] = []
        for parameter in (*parameters, *keys.wholes):
            key = keys.of(parameter)
            hooks = hooks_on(parameter)
            if not hooks:
                continue
            self.keys.add(key)
            codes = [code for hook in hooks if (code := _code(hook)) is not None]
            foreign = [code for code in codes if not callers.is_own(code)]
            if foreign:
                self._on_leaf[key] = self._hook(key, foreign[-1])
                hooked.append(parameter)
        parts = (parameter for parameter in hooked if keys.part_of(parameter) is None)
        plain = [parameter for parameter in parts if _has_bits(parameter)]
        self._before = list(zip(plain, checksums(plain), strict=True))

    def backward_ended(self) -> None:
        """Look which parameters hooks have moved, just after a backward."""
        after = checksums([parameter for parameter, _ in self._before])
        pairs = zip(self._before, after, strict=True)
        self._moved.update(id(parameter) for (parameter, was), now in pairs if was != now)
        self._before = []

    def moved(self, key: int) -> bool:
        """Return whether a hook moved a parameter, by ``id``: so it has used the gradient.

        So do optimizers that step inside of the backward.
        """
        return key in self._moved

    def on_leaf(self, key: int) -> Hook | None:
        """Return a hook of the script's on a leaf, by ``id``."""
        return self._on_leaf.get(key)

    def on_node(self, key: object) -> Hook | None:
        """Return a hook of the script's on what a node made, by its key."""
        chain = self._registered.get(key)
        return None if chain is None else Hook(chain.script, True)

    def clear(self) -> None:
        """Let go of everything."""
        self._registered.clear()
        self._on_leaf.clear()
        self._moved.clear()
        self.keys.clear()

    def _hook(self, key: int, code: CodeType) -> Hook:
        place = Place(code.co_filename, code.co_firstlineno, code.co_name)
        return self.on_node(key) or Hook(place, False)


def _has_bits(parameter: Tensor) -> bool:
    """Return whether a checksum can be taken of a parameter."""
    strided: Any = parameter.layout is torch.strided and not parameter.is_meta
    return bool(strided) and not (wraps_others(parameter) or is_uninitialized(parameter))


def _code(hook: Callable[..., Any]) -> CodeType | None:
    """Return the code of a hook; None for one that is not Python's."""
    function: Any = hook
    while isinstance(function, partial):
        function = function.func
    function = unwrap(function)
    if not isinstance(function, (FunctionType, MethodType)):  # an object that is called
        function = getattr_static(type(function), "__call__", None)
    return getattr(getattr(function, "__func__", function), "__code__", None)
