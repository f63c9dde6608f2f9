"""A new reducer for ``DistributedDataParallel``, which public torch makes at unpickling only.

``DistributedDataParallel.__setstate__`` makes a reducer without any collective operation; what
happens here is what it does. Most names are attributes of a wrapper and not of the class, and
some are there in some versions only, so each wrapper is looked at before it is touched:
:func:`missing_from`. All names were seen in torch 2.8 to 2.15, but for those in ``_NEWER``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

_OF_WRAPPER = (
    "_build_params_for_reducer",
    "_build_debug_param_to_name_mapping",
    "_ddp_init_helper",
    "_get_ddp_logging_data",
    "_register_builtin_comm_hook",
    "_comm_hooks",
    "_delay_all_reduce_params",
    "_join_config",
    "mixed_precision",
    "static_graph",
    "reducer",
    "logger",
)
"""What a rebuild uses of a wrapper, private or not documented."""
_OF_REDUCER = ("_remove_autograd_hooks", "_set_static_graph")
_OF_LOGGER = ("_set_static_graph",)

_NEWER = ("_require_manual_backward_finalization",)
"""Options that came later and that a rebuild would lose: since 2.15."""


def missing_from(wrapper: DistributedDataParallel) -> str | None:
    """Return the first name that a rebuild needs and a wrapper does not have, or None."""
    for name in _OF_WRAPPER:
        if not hasattr(wrapper, name):
            return name
    if not hasattr(wrapper._join_config, "enable"):
        return "_join_config.enable"
    for owner, names in ((wrapper.reducer, _OF_REDUCER), (wrapper.logger, _OF_LOGGER)):
        for name in names:
            if owner is not None and not hasattr(owner, name):
                return f"{'reducer' if owner is wrapper.reducer else 'logger'}.{name}"
    if not hasattr(dist, "BuiltinCommHookType"):
        return "torch.distributed.BuiltinCommHookType"
    return None


def unusual_option(wrapper: DistributedDataParallel) -> str | None:
    """Return the option of DDP that puts hooks elsewhere than in the reducer, or None."""
    if getattr(wrapper, "_use_python_reducer", False):
        return "reduces in Python under torch.compile (optimize_ddp='python_reducer')"
    if wrapper._delay_all_reduce_params:
        return "delays the reduction of some parameters (delay_all_reduce_named_params)"
    if wrapper.mixed_precision is not None:
        return "has its own mixed precision, whose hooks were set when it was built"
    if any(hasattr(parameter, "_in_backward_optimizers") for parameter in parameters_of(wrapper)):
        return "has its optimizer in the backward (_apply_optimizer_in_backward)"
    if joins(wrapper):
        return "was used with join(), in which a rank that has run out of data takes no part"
    for name in _NEWER:
        if getattr(wrapper, name, False):
            return f"finalizes its backward by hand ({name.removeprefix('_')})"
    return None


def joins(wrapper: DistributedDataParallel) -> bool:
    """Return whether ranks may run out of data: ``join()`` was entered, and nothing undoes that."""
    return bool(wrapper._join_config.enable)


def averages_over(wrapper: DistributedDataParallel) -> int:
    """Return over how many ranks a wrapper averages."""
    return dist.get_world_size(wrapper.process_group)


def parameters_of(wrapper: DistributedDataParallel) -> list[Tensor]:
    """Return the parameters of a wrapper, which may be half built or half taken apart."""
    module = wrapper.__dict__.get("_modules", {}).get("module")
    return [] if module is None else list(module.parameters())


def communication_hooks(wrapper: DistributedDataParallel) -> list[tuple[Callable[..., Any], Any]]:
    """Return the hooks in Python that were registered, each with its state."""
    return [(hook, state) for hook, state in wrapper._comm_hooks]


def communication_hook_name(wrapper: DistributedDataParallel) -> str | None:
    """Return the name of the communication hook as the reducer's logger knows it."""
    name = wrapper._get_ddp_logging_data().get("comm_hook")
    return name if isinstance(name, str) else None


def builtin_communication_hook(wrapper: DistributedDataParallel) -> Any:
    """Return the hook in C++ or None; its logger remembers it, and the wrapper does not."""
    name = communication_hook_name(wrapper)
    kinds = dist.BuiltinCommHookType.__members__.values()  # type: ignore[attr-defined]
    return next((kind for kind in kinds if str(kind) == name), None)


def trainable(
    wrapper: DistributedDataParallel,
) -> tuple[list[Tensor], list[bool], dict[int, str]]:
    """Return what requires a gradient now, which of it gets sparse ones, and names by number."""
    parameters, sparse = wrapper._build_params_for_reducer()
    names = wrapper._build_debug_param_to_name_mapping(parameters)
    return list(parameters), list(sparse), names


def make_reducer(
    wrapper: DistributedDataParallel,
    parameters: Iterable[Tensor],
    sparse: Iterable[bool],
    names: dict[int, str],
) -> None:
    """Give a wrapper a new reducer, with the communication hooks that the old one had."""
    builtin = builtin_communication_hook(wrapper)
    wrapper._ddp_init_helper(list(parameters), list(sparse), names, wrapper.static_graph)
    wrapper._has_rebuilt_buckets = False
    if wrapper.static_graph:
        # As _set_static_graph does, which warns when it is called again.
        wrapper._static_graph_delay_allreduce_enqueued = False
        wrapper.reducer._set_static_graph()
        wrapper.logger._set_static_graph()  # type: ignore[union-attr]
    if builtin is not None:
        wrapper._register_builtin_comm_hook(builtin)
    hooks = communication_hooks(wrapper)
    wrapper._comm_hooks.clear()
    for hook, state in hooks:
        wrapper.register_comm_hook(state, hook)


def silence(reducer: Any) -> None:
    """Let a reducer hear of no gradient any more."""
    reducer._remove_autograd_hooks()


def refusal_of(wrapper: DistributedDataParallel) -> str | None:
    """Return why this torch's DDP cannot be given a new reducer, or None."""
    missing = missing_from(wrapper)
    if missing is None:
        return None
    return (
        f"this model's DistributedDataParallel has no {missing!r}, which freezing needs to "
        f"rebuild its reducer; torch {torch.__version__} is not supported for that."
    )
