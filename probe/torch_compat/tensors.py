"""What a tensor is underneath: a view, one inside a transform, one that wraps others.

Public torch tells of none of them. All names were seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .parts import EXPLAINING, GATING, Part

_BASE = Part(
    "torch.Tensor._base",
    otherwise="views are not told from other tensors",
    needed_for=(GATING, EXPLAINING),
)
_IS_VIEW = Part(
    "torch.Tensor._is_view",
    otherwise="views are not told from other tensors",
    needed_for=(GATING, EXPLAINING),
)
_HOOKS = Part(
    "torch.Tensor._backward_hooks",
    otherwise="no graph is cut in the forward, so a closed gate saves less",
)
_GRAD_HOOKS = Part(
    "torch.Tensor._post_accumulate_grad_hooks",
    otherwise="hooks that run once a gradient has arrived are not told of",
)
_FUNCTORCH = Part(
    "torch._C._functorch.is_functorch_wrapped_tensor",
    otherwise="tensors inside of torch.func are not told from others",
    needed_for=(EXPLAINING,),
)
_WRAPS = Part(
    "torch.utils._python_dispatch.is_traceable_wrapper_subclass",
    otherwise="a tensor of a subclass has no magnitude",
)
_BATCHED = Part(
    "torch._C._functorch.is_batchedtensor",
    otherwise="a gate inside of torch.func.vmap that measures a gradient fails, and says so",
)
_LEGACY_BATCHED = Part(
    "torch._C._functorch.is_legacy_batchedtensor",
    otherwise="a gate that measures one of many gradients at once fails, and says so",
)
_TRACKING = Part(
    "torch._C._functorch.is_gradtrackingtensor",
    otherwise="a gate inside of torch.func.grad that measures a gradient fails, and says so",
)
_UNWRAPPED = Part(
    "torch._C._functorch.get_unwrapped",
    otherwise="a gate inside of torch.func.grad that measures a gradient fails, and says so",
)
PARTS = (
    _BASE,
    _IS_VIEW,
    _HOOKS,
    _GRAD_HOOKS,
    _FUNCTORCH,
    _WRAPS,
    _BATCHED,
    _LEGACY_BATCHED,
    _TRACKING,
    _UNWRAPPED,
)

_is_batched: Callable[[Tensor], bool] = _BATCHED.or_else(lambda _: False)
_is_legacy_batched: Callable[[Tensor], bool] = _LEGACY_BATCHED.or_else(lambda _: False)
_is_tracking: Callable[[Tensor], bool] = _TRACKING.or_else(lambda _: False)
_unwrapped: Callable[[Tensor], Tensor] = _UNWRAPPED.or_else(lambda tensor: tensor)


def base_of(tensor: Tensor) -> Tensor | None:
    """Return the tensor that this one is a view of, or None."""
    base: Tensor | None = getattr(tensor, "_base", None)
    return base


def is_view(tensor: Tensor) -> bool:
    """Return whether a tensor is a view of another."""
    return not _IS_VIEW.missing and tensor._is_view()


def may_have_hooks(tensor: Tensor) -> bool:
    """Return whether a hook is or was on a tensor: its node keeps those."""
    return _HOOKS.missing or tensor._backward_hooks is not None


def own_hooks(tensor: Tensor) -> dict[int, Callable[..., Any]]:
    """Return the hooks on a leaf's gradient by their numbers, as torch has them; to be changed."""
    return {} if _HOOKS.missing else tensor._backward_hooks or {}


def own_accumulation_hooks(tensor: Tensor) -> dict[int, Callable[..., Any]]:
    """Return the hooks on a leaf that are called once its gradient is in, in the same way."""
    return {} if _GRAD_HOOKS.missing else tensor._post_accumulate_grad_hooks or {}


def hooks_on(tensor: Tensor) -> list[Callable[..., Any]]:
    """Return the hooks on a leaf, whoever registered them: on its gradient, and after it is in."""
    found: list[Callable[..., Any]] = []
    for part in (_HOOKS, _GRAD_HOOKS):
        hooks = None if part.missing else getattr(tensor, part.name.rpartition(".")[2])
        found += (hooks or {}).values()
    return found


_is_wrapped: Callable[[Tensor], bool] = _FUNCTORCH.or_else(lambda _: False)


def is_inside_transform(tensor: Tensor) -> bool:
    """Return whether a tensor stands for others: in ``torch.func``, or with many gradients."""
    return _is_wrapped(tensor) or _is_legacy_batched(tensor)


def levels_of(tensor: Tensor) -> list[Tensor]:
    """Return a tensor, and what else of it has a graph.

    Inside of ``torch.func`` those that it stands for, and in forward-mode AD their tangents.
    """
    levels = _stood_for(tensor)
    if getattr(forward_ad, "_current_level", -1) < 0:
        return levels
    tangents = [forward_ad.unpack_dual(level).tangent for level in levels]
    return levels + [each for t in tangents if t is not None for each in _stood_for(t)]


def _stood_for(tensor: Tensor) -> list[Tensor]:
    levels = [tensor]
    while not _UNWRAPPED.missing and _is_wrapped(levels[-1]):
        levels.append(_unwrapped(levels[-1]))
    return levels


def wraps_others(tensor: Tensor) -> bool:
    """Return whether a tensor's values are in others, as those of a sharded one are."""
    if _WRAPS.missing:
        return not (type(tensor) is Tensor or type(tensor).__module__ == "torch.nn.parameter")
    return bool(_WRAPS.value(tensor))


def is_freed(tensor: Tensor) -> bool:
    """Return whether the memory of a tensor's elements was given back: to read it would crash.

    ``fully_shard`` (FSDP2) does so between uses with the whole parameters, and offloading may.
    """
    if tensor.layout is not torch.strided or is_inside_transform(tensor):
        return False  # it has no memory of its own
    return tensor.untyped_storage().nbytes() == 0 and tensor.numel() > 0


def inner_tensors(tensor: Tensor) -> list[Tensor]:
    """Return the plain tensors that hold a tensor's values: itself, or those that it wraps."""
    if not wraps_others(tensor):
        return [tensor]
    flatten = getattr(tensor, "__tensor_flatten__", None)
    inside = [] if flatten is None else [getattr(tensor, name) for name in flatten()[0]]
    held = [each for each in inside if isinstance(each, Tensor)]  # a DTensor lists its mesh, too
    return [plain for each in held for plain in inner_tensors(each)]


def dense_tensors(tensor: Tensor) -> list[Tensor]:
    """Return the dense tensors with all of a tensor's numbers: of a sparse one its indices, too.

    None of what is on the meta device, which has no numbers.
    """
    return [dense for plain in inner_tensors(tensor) for dense in _dense(plain)]


def _dense(plain: Tensor) -> list[Tensor]:
    if plain.is_meta:
        return []
    if plain.layout is torch.sparse_coo:
        plain = plain.coalesce()
        return [plain.indices(), plain.values()]
    if plain.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [plain.crow_indices(), plain.col_indices(), plain.values()]
    if plain.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [plain.ccol_indices(), plain.row_indices(), plain.values()]
    return [plain]


def set_requires_grad(tensor: Tensor, flag: bool) -> None:
    """Set ``requires_grad`` for Gradgate itself, past whoever listens to what the script sets."""
    Tensor.requires_grad_(tensor, flag)


def value_of(tensor: Tensor) -> Tensor | None:
    """Return the tensor that one inside of ``torch.func.grad`` stands for; None for many at once.

    Many at once are those under ``vmap``, and what ``is_grads_batched=True`` asks for.
    """
    while not _UNWRAPPED.missing and _is_tracking(tensor):
        tensor = _unwrapped(tensor)
    return None if _is_batched(tensor) or _is_legacy_batched(tensor) else tensor


def is_zero(tensor: Tensor) -> bool:
    """Return whether all elements of a plain tensor are zero; waits for its device."""
    return not bool(_any(tensor))


def are_zero(tensors: Iterable[Tensor]) -> list[bool]:
    """Return of each plain tensor whether all its elements are zero; waits once for a device."""
    found = [_any(tensor) for tensor in tensors]
    zero = [False] * len(found)
    for device in {each.device for each in found}:
        places = [i for i, each in enumerate(found) if each.device == device]
        values = torch.stack([found[i] for i in places]).tolist()
        for i, value in zip(places, values, strict=True):
            zero[i] = not value
    return zero


def _any(tensor: Tensor) -> Tensor:
    dense = tensor.coalesce().values() if tensor.is_sparse else tensor
    return dense.any()
