"""What ``fully_shard`` (FSDP2) keeps of the parameters that it shards, of which nothing is public.

A module's group of parameters takes ``requires_grad`` over from the shards with the next
all-gather, which never comes for a module that stays unsharded; and which dtypes it reduces in it
has fixed at the first forward, by what was trainable then. All names were seen in torch 2.13;
where a module has one group only, earlier ones have it as ``_fsdp_param_group``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .tensors import set_requires_grad

_OF_GROUP = ("fsdp_params", "_init_mp_dtypes")


def is_fully_sharded(module: nn.Module) -> bool:
    """Return whether ``fully_shard`` was applied to a module."""
    return _is_a(module, "FSDPModule")


def is_flat(parameter: Tensor) -> bool:
    """Return whether FSDP1 (``FullyShardedDataParallel``) has made a parameter of several."""
    return _is_a(parameter, "FlatParameter")


def flattened(models: Mapping[str, nn.Module]) -> set[int]:
    """Return the modules, by ``id``, whose parameters FSDP1 replaces by parts of flat ones.

    With ``use_orig_params=True`` the modules keep their parameters, and no step works with them.
    """
    wrappers = [m for model in models.values() for m in model.modules() if is_wrapped_by_fsdp1(m)]
    inside = (module for wrapper in wrappers for module in wrapper.modules())
    return {id(m) for m in inside if not any(map(is_flat, m.parameters(recurse=False)))}


def is_wrapped_by_fsdp1(module: nn.Module) -> bool:
    """Return whether a module is a ``FullyShardedDataParallel``."""
    return _is_a(module, "FullyShardedDataParallel")


class ShardedGroups:
    """The groups of parameters that the ``fully_shard`` calls on some models have made."""

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        modules = [m for model in models.values() for m in model.modules() if is_fully_sharded(m)]
        self.missing = next(filter(None, map(_missing, modules)), None)
        """The first name that is not there, with which nothing can be done; None with all."""
        groups = [] if self.missing else [group for m in modules for group in _groups(m)]
        self._groups = list({id(group): group for group in groups}.values())

    def parameters(self) -> list[Tensor]:
        """Return this rank's part of every parameter, as the optimizer has it."""
        return [each.sharded_param for group in self._groups for each in group.fsdp_params]

    def wholes(self) -> list[tuple[Tensor, Tensor]]:
        """Return the whole parameters that forwards have used, each with this rank's part."""
        return [
            (each._unsharded_param, each.sharded_param)
            for group in self._groups
            for each in group.fsdp_params
            if hasattr(each, "_unsharded_param")
        ]

    def split_otherwise(self) -> bool:
        """Return whether a parameter was split among ranks before it was sharded, as by TP."""
        return any(
            getattr(each, "is_dtensor", False)
            for group in self._groups
            for each in group.fsdp_params
        )

    def follow_flags(self, flipped: Iterable[Tensor]) -> None:
        """Have the groups of some parameters know which of them require a gradient now."""
        wanted = {id(parameter) for parameter in flipped}
        for group in self._groups:
            if not any(id(each.sharded_param) in wanted for each in group.fsdp_params):
                continue
            for each in group.fsdp_params:
                whole = getattr(each, "_unsharded_param", None)
                requires_grad = each.sharded_param.requires_grad
                if whole is not None and whole.requires_grad != requires_grad:
                    set_requires_grad(whole, requires_grad)
            if hasattr(group, "_reduce_dtype"):  # else it will look at its first forward
                group._init_mp_dtypes()

    def refusal(self) -> str | None:
        """Return why this torch's FSDP2 cannot be told of a freeze, or None."""
        if self.missing is None:
            return None
        return (
            f"this model's fully_shard (FSDP2) has no {self.missing!r}, which freezing and gating "
            f"need; torch {torch.__version__} is not supported for that."
        )


def _is_a(thing: object, name: str) -> bool:
    """Return whether something is of a class of ``torch.distributed.fsdp``."""
    fsdp = sys.modules.get("torch.distributed.fsdp")  # not imported: not used
    return fsdp is not None and isinstance(thing, getattr(fsdp, name))


def _groups(module: Any) -> list[Any]:
    state = module._get_fsdp_state()
    if hasattr(state, "_fsdp_param_groups"):
        return list(state._fsdp_param_groups)
    return [] if state._fsdp_param_group is None else [state._fsdp_param_group]


def _missing(module: Any) -> str | None:
    if not hasattr(module, "_get_fsdp_state"):
        return "_get_fsdp_state"
    state = module._get_fsdp_state()
    if not (hasattr(state, "_fsdp_param_groups") or hasattr(state, "_fsdp_param_group")):
        return "_fsdp_param_groups"
    for group in _groups(module):
        for name in _OF_GROUP:
            if not hasattr(group, name):
                return name
        if not all(hasattr(each, "sharded_param") for each in group.fsdp_params):
            return "sharded_param"
    return None
