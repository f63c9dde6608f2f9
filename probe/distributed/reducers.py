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
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..base.errors import CommandError
from ..torch_compat import ddp
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import register_first
from ..torch_compat.process_group import world_size
from ..torch_compat.wrappers import Wrappers

_PLAIN = (type(None), bool, int, float, str, torch.dtype, types.ModuleType)


def distributed_refusal(
    models: Mapping[str, nn.Module], targets: Mapping[str, Tensor], wrappers: Wrappers
) -> str | None:
    """Return why parameters, given by name, cannot be frozen in a distributed job, or None.

    The same for a thaw. Only ``DistributedDataParallel`` is supported: what shards parameters,
    and what averages gradients in a way unknown here, is named and refused.
    """
    sharded = _sharded(models, targets)
    if sharded is not None:
        return sharded
    loose = _unreduced(targets, wrappers)
    if not loose:
        return None
    return (
        f"{world_size()} processes train together, and {loose} is in no "
        "DistributedDataParallel model: what averages its gradient, if anything does, is not known "
        "here, and it may wait for ever for a gradient that a freeze takes away. Wrap the model in "
        "DistributedDataParallel, or freeze in the script."
    )


def gate_refusal(
    models: Mapping[str, nn.Module], parameters: Mapping[str, Tensor], wrappers: Wrappers
) -> str | None:
    """Return why there can be no gate in a distributed job, or None.

    Ranks drift apart where what a gate has changed on each is not averaged afterwards.
    ``parameters``: all of them, by name.
    """
    sharded = _sharder(models, parameters)
    if sharded is not None:
        return (
            f"the parameters of this model are sharded by {sharded}, and what comes to a gate is "
            "a part of the gradient there; this version gates models that are not sharded."
        )
    for wrapper in wrappers.reducing(parameters.values()):
        option = ddp.unusual_option(wrapper)
        if option is not None:
            return (
                f"this model's DistributedDataParallel {option}, so a gate would not know when a "
                "gradient is reduced."
            )
    trained = {name: p for name, p in parameters.items() if p.requires_grad}
    loose = _unreduced(trained, wrappers)
    if not loose:
        return None
    return (
        f"{world_size()} processes train together, and {loose} is in no DistributedDataParallel "
        "model: what averages its gradient, if anything does, is not known here, and gates that "
        "act on each rank's own would let the ranks drift apart. Wrap the model in "
        "DistributedDataParallel."
    )


def refusal(wrapper: DistributedDataParallel) -> str | None:
    """Return why the reducer of ``wrapper`` cannot be rebuilt; None when it can."""
    refused = ddp.refusal_of(wrapper)
    if refused is not None:
        return refused
    reason = ddp.unusual_option(wrapper) or _stateful_hook(wrapper)
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
    parameters, sparse, names = ddp.trainable(wrapper)
    if not parameters:
        if stand_in is None:
            raise CommandError(
                "nothing trainable is left in a DistributedDataParallel model, and its reducer "
                "needs at least one parameter; give a stand_in."
            )
        parameters, sparse, names = [stand_in], [False], {0: "stand_in"}
    _retire_reducer(wrapper)
    ddp.make_reducer(wrapper, parameters, sparse, names)


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
            ddp.silence(reducer)

    handle = register_first(wrapper, ModuleHook(retire))


def holds_fsdp(models: Mapping[str, nn.Module]) -> bool:
    """Return whether a module of the models is wrapped in ``FullyShardedDataParallel``."""
    fsdp = sys.modules.get("torch.distributed.fsdp")  # not imported: not used
    modules = (module for model in models.values() for module in model.modules())
    return fsdp is not None and any(isinstance(m, fsdp.FullyShardedDataParallel) for m in modules)


def _unreduced(targets: Mapping[str, Tensor], wrappers: Wrappers) -> str:
    """Name those of several processes' parameters that no wrapper reduces; empty for none."""
    if world_size() == 1:
        return ""
    reducing = wrappers.reducing(targets.values())
    reduced = {id(p) for wrapper in reducing for p in ddp.parameters_of(wrapper)}
    loose = [name for name, parameter in targets.items() if id(parameter) not in reduced]
    more = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
    return f"{loose[0]!r}{more}" if loose else ""


def _sharder(models: Mapping[str, nn.Module], targets: Mapping[str, Tensor]) -> str | None:
    """Name what shards the parameters, if they are sharded."""
    modules = [module for model in models.values() for module in model.modules()]
    fsdp = sys.modules.get("torch.distributed.fsdp")  # not imported: not used
    if holds_fsdp(models):
        return "FullyShardedDataParallel"
    if fsdp is not None and any(isinstance(m, fsdp.FSDPModule) for m in modules):
        return "fully_shard (FSDP2)"
    tensor = sys.modules.get("torch.distributed.tensor")
    if tensor is None or not any(isinstance(p, tensor.DTensor) for p in targets.values()):
        return None
    return "DTensor"


def _sharded(models: Mapping[str, nn.Module], targets: Mapping[str, Tensor]) -> str | None:
    """Say what shards the parameters, if they are sharded.

    ``fully_shard`` itself would follow: ``FSDPParam.to_unsharded`` hands the shard's
    ``requires_grad`` to the whole parameter. But that comes only with the next all-gather
    (never, where a module stays unsharded), and ``FSDPParamGroup._init_mp_dtypes`` fixes the
    dtypes of the reduction at the first forward by what was trainable then.
    """
    how = _sharder(models, targets)
    if how is None:
        return None
    if how == "FullyShardedDataParallel":
        return (
            "this model is wrapped in FullyShardedDataParallel, which keeps its parameters in flat "
            "pieces that train or rest as a whole; freeze in the script before wrapping it."
        )
    return (
        f"the parameters of this model are sharded by {how}: each rank holds a piece, a change of "
        "requires_grad reaches the whole parameter only at the next all-gather, and what is "
        "reduced in which dtype was fixed at the first forward. Freeze in the script before "
        "sharding it."
    )


def _stateful_hook(wrapper: DistributedDataParallel) -> str | None:
    hooks = ddp.communication_hooks(wrapper)
    for hook, state in hooks:
        if not (_is_plain(hook) and _is_plain(state)):
            name = getattr(hook, "__qualname__", repr(hook))
            return (
                f"has a communication hook, {name}, that keeps state about its buckets, "
                "and freezing makes other buckets"
            )
    registered = ddp.communication_hook_name(wrapper)
    if registered and not hooks and ddp.builtin_communication_hook(wrapper) is None:
        return f"has a communication hook that is not known here, {registered}"
    return None


def _is_plain(value: object) -> bool:
    """Return whether a communication hook made of this has no state that depends on buckets."""
    if isinstance(value, types.FunctionType):
        return all(_is_plain(cell.cell_contents) for cell in value.__closure__ or ())
    return isinstance(value, (*_PLAIN, types.BuiltinFunctionType, dist.ProcessGroup))
