"""Rebuilds the reducers of ``DistributedDataParallel`` after ``requires_grad`` was flipped.

A DDP wrapper decides when it is built which parameters its reducer averages over the ranks.
A parameter frozen since leaves the reducer waiting for a gradient that never comes; one
thawed since is trained by each rank on its own, and nothing says so. So after a flip, made by
all ranks at the same step, the wrapper gets a new reducer, in the way in which
``DistributedDataParallel.__setstate__`` makes one after unpickling: with no collective
operation, and the buckets are the smaller for what was frozen.

Rebuild outside forward and backward, when no graph made by the wrapper waits for its backward.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..base.errors import CommandError
from ..torch_compat.heap import living
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.process_group import world_size

_NEEDED = (
    "_build_params_for_reducer",
    "_build_debug_param_to_name_mapping",
    "_ddp_init_helper",
    "_get_ddp_logging_data",
    "_remove_autograd_hooks",
    "_comm_hooks",
)
"""What a rebuild uses of DDP beside its documented face; torch 2.8 to 2.13 have it."""

_PLAIN = (type(None), bool, int, float, str, torch.dtype, types.ModuleType)


def find_wrappers(parameters: Iterable[Tensor]) -> list[DistributedDataParallel]:
    """Return every DDP wrapper in this process that holds one of ``parameters``.

    The garbage collector knows them all, also where the run was attached to ``ddp.module`` or
    before the model was wrapped. See :func:`living` for what it costs.
    """
    wanted = {id(parameter) for parameter in parameters}
    return [
        wrapper
        for wrapper in living(DistributedDataParallel)
        if any(id(parameter) in wanted for parameter in _parameters(wrapper))
    ]


def distributed_refusal(
    models: Mapping[str, nn.Module], targets: Mapping[str, Tensor]
) -> str | None:
    """Why parameters, given by name, cannot be frozen or thawed in a distributed job, or None.

    Only ``DistributedDataParallel`` is supported: what shards parameters, and what averages
    gradients in a way unknown here, is named and refused.
    """
    sharded = _sharded(models, targets)
    if sharded is not None:
        return sharded
    if world_size() == 1:
        return None
    held = {id(p) for wrapper in find_wrappers(targets.values()) for p in _parameters(wrapper)}
    loose = [name for name, parameter in targets.items() if id(parameter) not in held]
    if not loose:
        return None
    more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
    return (
        f"{world_size()} processes train together, and {loose[0]!r}{more} is in no "
        "DistributedDataParallel model: what averages its gradient, if anything does, is not known "
        "here, and it may wait for ever for a gradient that a freeze takes away. Wrap the model in "
        "DistributedDataParallel, or freeze in the script."
    )


def refusal(wrapper: DistributedDataParallel) -> str | None:
    """Why the reducer of ``wrapper`` cannot be rebuilt; None when it can."""
    missing = [name for name in _NEEDED if not hasattr(wrapper, name)]
    if missing:
        return (
            f"this model's DistributedDataParallel has no {missing[0]!r}, which freezing needs to "
            f"rebuild its reducer; torch {torch.__version__} is not supported for that."
        )
    reason = _unusual(wrapper) or _stateful_hook(wrapper)
    if reason is None:
        return None
    return f"this model's DistributedDataParallel {reason}; freeze in the script before wrapping it"


def rebuild(wrapper: DistributedDataParallel, stand_in: Tensor | None = None) -> None:
    """Give ``wrapper`` a reducer for exactly the parameters that require a gradient now.

    Call it on all ranks at the same step. When nothing that requires a gradient is left,
    ``stand_in`` takes the place that a reducer cannot do without: a leaf of at least one element
    on the wrapper's device that requires a gradient, and that the caller ties into what
    ``wrapper.module`` returns through a custom function whose backward returns None for it.
    The reducer then counts it as ready in each backward, and averages zeros of its size.

    Raises :class:`CommandError` for what :func:`refusal` names, with nothing changed.
    """
    reason = refusal(wrapper)
    if reason is not None:
        raise CommandError(reason)
    builtin = _builtin_hook(wrapper)
    parameters, sparse = wrapper._build_params_for_reducer()
    names = wrapper._build_debug_param_to_name_mapping(parameters)
    if not parameters:
        if stand_in is None:
            raise CommandError(
                "nothing trainable is left in a DistributedDataParallel model, and its reducer "
                "needs at least one parameter; give a stand_in."
            )
        parameters, sparse, names = [stand_in], [False], {0: "stand_in"}
    _retire_reducer(wrapper)
    wrapper._ddp_init_helper(parameters, sparse, names, wrapper.static_graph)
    wrapper._has_rebuilt_buckets = False
    if wrapper.static_graph:
        # As _set_static_graph does, which warns when it is called again.
        wrapper._static_graph_delay_allreduce_enqueued = False
        wrapper.reducer._set_static_graph()
        wrapper.logger._set_static_graph()  # type: ignore[union-attr]
    _register_hooks(wrapper, builtin)


def _retire_reducer(wrapper: DistributedDataParallel) -> None:
    """Let the present reducer serve what waits for its backward, until the next forward.

    A graph that the wrapper made before (a generator's, while the discriminator steps) is
    reduced by the reducer that was there: the new one ignores a backward before its first
    forward. From then on the old one must not hear of any gradient.
    """
    reducer = wrapper.reducer

    def retire(*_: object) -> None:
        if torch.is_grad_enabled():
            handle.remove()
            reducer._remove_autograd_hooks()

    handle = wrapper.register_forward_pre_hook(ModuleHook(retire), prepend=True)


def _parameters(wrapper: DistributedDataParallel) -> list[Tensor]:
    """The parameters of a wrapper, which may be half built or half taken apart."""
    module = wrapper.__dict__.get("_modules", {}).get("module")
    return [] if module is None else list(module.parameters())


def _sharded(models: Mapping[str, nn.Module], targets: Mapping[str, Tensor]) -> str | None:
    """Say what shards the parameters, if they are sharded.

    ``fully_shard`` itself would follow: ``FSDPParam.to_unsharded`` hands the shard's
    ``requires_grad`` to the whole parameter. But that comes only with the next all-gather
    (never, where a module stays unsharded), and ``FSDPParamGroup._init_mp_dtypes`` fixes the
    dtypes of the reduction at the first forward by what was trainable then.
    """
    modules = [module for model in models.values() for module in model.modules()]
    fsdp = sys.modules.get("torch.distributed.fsdp")  # not imported: not used
    if fsdp is not None and any(isinstance(m, fsdp.FullyShardedDataParallel) for m in modules):
        return (
            "this model is wrapped in FullyShardedDataParallel, which keeps its parameters in flat "
            "pieces that train or rest as a whole; freeze in the script before wrapping it."
        )
    if fsdp is not None and any(isinstance(m, fsdp.FSDPModule) for m in modules):
        how = "fully_shard (FSDP2)"
    else:
        tensor = sys.modules.get("torch.distributed.tensor")
        if tensor is None or not any(isinstance(p, tensor.DTensor) for p in targets.values()):
            return None
        how = "DTensor"
    return (
        f"the parameters of this model are sharded by {how}: each rank holds a piece, a change of "
        "requires_grad reaches the whole parameter only at the next all-gather, and what is "
        "reduced in which dtype was fixed at the first forward. Freeze in the script before "
        "sharding it."
    )


def _unusual(wrapper: DistributedDataParallel) -> str | None:
    """An option of DDP that puts hooks elsewhere than in the reducer."""
    if getattr(wrapper, "_use_python_reducer", False):
        return "reduces in Python under torch.compile (optimize_ddp='python_reducer')"
    if wrapper._delay_all_reduce_params:
        return "delays the reduction of some parameters (delay_all_reduce_named_params)"
    if wrapper.mixed_precision is not None:
        return "has its own mixed precision, whose hooks were set when it was built"
    if any(hasattr(parameter, "_in_backward_optimizers") for parameter in _parameters(wrapper)):
        return "has its optimizer in the backward (_apply_optimizer_in_backward)"
    if wrapper._join_config.enable:
        return "was used with join(), in which a rank that has run out of data takes no part"
    return None


def _stateful_hook(wrapper: DistributedDataParallel) -> str | None:
    for hook, state in wrapper._comm_hooks:
        if not (_is_plain(hook) and _is_plain(state)):
            name = getattr(hook, "__qualname__", repr(hook))
            return (
                f"has a communication hook, {name}, that keeps state about its buckets, "
                "and freezing makes other buckets"
            )
    registered = _registered_hook(wrapper)
    if registered and not wrapper._comm_hooks and _builtin_hook(wrapper) is None:
        return f"has a communication hook that is not known here, {registered}"
    return None


def _is_plain(value: object) -> bool:
    """Whether a communication hook made of this has no state that depends on the buckets."""
    if isinstance(value, types.FunctionType):
        return all(_is_plain(cell.cell_contents) for cell in value.__closure__ or ())
    return isinstance(value, (*_PLAIN, types.BuiltinFunctionType, dist.ProcessGroup))


def _registered_hook(wrapper: DistributedDataParallel) -> str | None:
    """The name of the communication hook as the reducer's logger knows it."""
    name = wrapper._get_ddp_logging_data().get("comm_hook")
    return name if isinstance(name, str) else None


def _builtin_hook(wrapper: DistributedDataParallel) -> Any:
    """The communication hook in C++; the wrapper itself does not remember it, its logger does."""
    name = _registered_hook(wrapper)
    kinds = dist.BuiltinCommHookType.__members__.values()  # type: ignore[attr-defined]
    return next((kind for kind in kinds if str(kind) == name), None)


def _register_hooks(wrapper: DistributedDataParallel, builtin: Any) -> None:
    if builtin is not None:
        wrapper._register_builtin_comm_hook(builtin)
    hooks = list(wrapper._comm_hooks)
    wrapper._comm_hooks.clear()
    for hook, state in hooks:
        wrapper.register_comm_hook(state, hook)
