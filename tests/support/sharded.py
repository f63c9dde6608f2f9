"""Tensors of which this process holds a part, as a DTensor is one, and who asks more of them.

What is computed of a whole DTensor may be a collective, which hangs unless every rank takes part;
for which functions that is so changes from one torch to the next. So Gradgate is to ask for
nothing of one but its own part. Here the part is all there is, so that no other rank is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from gradgate import probe
from gradgate.probe.base.guard import hand_on

_PROBE = str(Path(probe.__file__).parent)
_TORCH = str(Path(torch.__file__).parent)
_LEAVES_IT_WHOLE = frozenset({"aten.detach.default", "aten.alias.default"})


class Sharded(Tensor):
    """A tensor that is kept in another, and that computes with that."""

    part: Tensor
    pending: bool
    """It is a norm of parts, which the ranks add up as soon as anything is asked of it."""
    asked: ClassVar[list[str] | None] = None
    """What Gradgate asked of a whole one, and where; None: nobody wants to know."""

    @staticmethod
    def __new__(cls: type[Sharded], part: Tensor, pending: bool = False) -> Sharded:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined,no-any-return]
            cls, part.shape, dtype=part.dtype, device=part.device
        )

    def __init__(self, part: Tensor, pending: bool = False) -> None:
        self.part = part
        self.pending = pending

    def to_local(self) -> Tensor:
        """Return the part, as a DTensor does."""
        return self.part

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["part"], None

    @staticmethod
    def __tensor_unflatten__(
        inner: Mapping[str, Tensor], context: None, size: object, stride: object
    ) -> Sharded:
        return Sharded(inner["part"])

    @classmethod
    def __torch_dispatch__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        leaves = pytree.tree_leaves((arguments, options or {}))
        pending = any(isinstance(each, Sharded) and each.pending for each in leaves)
        leaves_it_whole = str(function) in _LEAVES_IT_WHOLE and not pending
        if cls.asked is not None and not leaves_it_whole:
            where = _asker(sys._getframe(1))
            if where is not None:
                cls.asked.append(f"{function} {where}")
        given = pytree.tree_map_only(Sharded, lambda whole: whole.part, (arguments, options or {}))
        made = function(*given[0], **given[1])
        if str(function).endswith("_.default"):  # written in place
            return arguments[0]
        pending = pending or "vector_norm" in str(function)
        return pytree.tree_map_only(Tensor, lambda part: Sharded(part, pending), made)


def shard(model: nn.Module) -> nn.Module:
    """Keep each parameter of a model in a part; return the model."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(Sharded(parameter.detach())))
    return model


@contextmanager
def asked_of_wholes() -> Iterator[list[str]]:
    """Collect what Gradgate asks of whole tensors, and where."""
    Sharded.asked = []
    try:
        yield Sharded.asked
    finally:
        Sharded.asked = None


def _asker(frame: FrameType | None) -> str | None:
    """Return the line of Gradgate's that asks, if it is one; what it hands on is the script's."""
    while frame is not None and frame.f_code.co_filename.startswith((_TORCH, "<")):
        frame = frame.f_back
    if frame is None or frame.f_code is hand_on.__code__:
        return None
    file = frame.f_code.co_filename
    return f"{file}:{frame.f_lineno}" if file.startswith(_PROBE) else None
