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
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..base.errors import CommandError
from ..base.guard import Guard
from ..torch_compat import ddp
from ..torch_compat.fsdp import ShardedGroups, is_wrapped_by_fsdp1
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import register_first
from ..torch_compat.wrappers import Wrappers

_SHARED_STAGE = (
    "this process was attached as one that trains its model by itself, such as a stage of a "
    "pipeline, and the model is in DistributedDataParallel, or split among ranks, as well: the "
    "processes that share it do not agree on commands. Freeze in the script, or train it "
    "without the one or the other."
)
_PLAIN = (type(None), bool, int, float, str, torch.dtype, types.ModuleType)


def distributed_refusal(
    models: Mapping[str, nn.Module], targets: Mapping[str, Tensor], wrappers: Wrappers
) -> str | None:
    """Return why parameters, given by name, cannot be frozen in a distributed job, or None.

    The same for a thaw. ``DistributedDataParallel`` and ``fully_shard`` are supported: what
    shards parameters otherwise, and what averages gradients in a way unknown here, is named and
    refused.
    """
    if holds_fsdp(models):
        return (
            "this model is wrapped in FullyShardedDataParallel, which keeps its parameters in flat "
            "pieces that train or rest as a whole; freeze in the script before wrapping it."
        )
    sharded = ShardedGroups(models)
    if wrappers.alone and _is_shared(targets, sharded, wrappers):
        return _SHARED_STAGE
    loose = _unreduced(targets, sharded, wrappers)
    if not loose:
        return sharded.refusal()
    name = _named_first(loose)
    if wrappers.in_late_stage():
        return _late_stage(name)
    if any(_is_split(targets[each]) for each in loose):
        return (
            f"{name} is a DTensor, and no fully_shard (FSDP2) inside of the attached model has "
            "made it: what averages its gradient is not known here. Attach the model that was "
            "sharded as a whole, or freeze in the script."
        )
    return (
        f"{wrappers.processes()} processes train together, and {name} is in no "
        "DistributedDataParallel model: what averages its gradient, if anything does, is not known "
        "here, and it may wait for ever for a gradient that a freeze takes away. Wrap the model in "
        "DistributedDataParallel, attach with alone=True where this process trains it by itself, "
        "or freeze in the script."
    )


def gate_refusal(
    models: Mapping[str, nn.Module], parameters: Mapping[str, Tensor], wrappers: Wrappers
) -> str | None:
    """Return why there can be no gate in a distributed job, or None.

    Ranks drift apart where what a gate has changed on each is not averaged afterwards.
    ``parameters``: all of them, by name.
    """
    if holds_fsdp(models):
        return (
            "this model is wrapped in FullyShardedDataParallel, which keeps its parameters in flat "
            "pieces, and what comes to a gate is a part of the gradient there; shard it by "
            "fully_shard instead."
        )
    sharded = ShardedGroups(models)
    if sharded.refusal() is not None:
        return sharded.refusal()
    if wrappers.alone and _is_shared(parameters, sharded, wrappers):
        return _SHARED_STAGE
    if wrappers.splits_backward():
        return (
            "a schedule of this pipeline makes each backward in two parts, the inputs' and the "
            "weights' (zero bubble), and the second would look in vain for what a gate has kept "
            "from the first; take another schedule, such as Schedule1F1B, or freeze instead."
        )
    if sharded.split_otherwise() or any(
        _lies_elsewhere(p, wrappers.processes()) for p in parameters.values()
    ):
        return (
            "this model is split among ranks in more ways than fully_shard does it (tensor or "
            "pipeline parallel), and what comes to a gate is a part of the gradient there."
        )
    for wrapper in wrappers.reducing(parameters.values()):
        option = ddp.unusual_option(wrapper)
        if option is not None:
            return (
                f"this model's DistributedDataParallel {option}, so a gate would not know when a "
                "gradient is reduced."
            )
        if wrapper.static_graph:
            return (
                "this model's DistributedDataParallel has static_graph=True, so it takes every "
                "backward for one like the first, which they are not with gates: the ranks would "
                "drift apart. Build it without."
            )
        averaged = ddp.averages_over(wrapper)
        if averaged != wrappers.processes():
            return (
                f"this model's DistributedDataParallel averages over {averaged} of "
                f"{wrappers.processes()} processes, and gates decide by the gradients of all, as "
                "of one model."
            )
    trained = {name: p for name, p in parameters.items() if p.requires_grad}
    loose = _unreduced(trained, sharded, wrappers)
    if not loose:
        return None
    if wrappers.in_late_stage():
        return _late_stage(_named_first(loose))
    return (
        f"{wrappers.processes()} processes train together, and {_named_first(loose)} is in no "
        "DistributedDataParallel model: what averages its gradient, if anything does, is not known "
        "here, and gates that act on each rank's own would let the ranks drift apart. Wrap the "
        "model in DistributedDataParallel, or attach with alone=True where this process trains it "
        "by itself."
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


def rebuild(wrapper: DistributedDataParallel, guard: Guard, stand_in: Tensor | None = None) -> None:
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
    _retire_reducer(wrapper, guard)
    ddp.make_reducer(wrapper, parameters, sparse, names)


def _retire_reducer(wrapper: DistributedDataParallel, guard: Guard) -> None:
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

    handle = register_first(wrapper, ModuleHook(guard, retire))


def holds_fsdp(models: Mapping[str, nn.Module]) -> bool:
    """Return whether a module of the models is wrapped in ``FullyShardedDataParallel``."""
    return any(is_wrapped_by_fsdp1(m) for model in models.values() for m in model.modules())


def _unreduced(
    targets: Mapping[str, Tensor], sharded: ShardedGroups, wrappers: Wrappers
) -> list[str]:
    """Return the names of what no wrapper reduces, of several processes' parameters."""
    if wrappers.processes() == 1:
        return []
    reducing = wrappers.reducing(targets.values())
    reduced = {id(p) for wrapper in reducing for p in ddp.parameters_of(wrapper)}
    reduced |= {id(p) for p in sharded.parameters()}
    return [name for name, parameter in targets.items() if id(parameter) not in reduced]


def _is_shared(targets: Mapping[str, Tensor], sharded: ShardedGroups, wrappers: Wrappers) -> bool:
    """Return whether other processes have a part in the gradients of parameters, by name."""
    parameters = {id(parameter) for parameter in sharded.parameters()}
    return (
        bool(wrappers.reducing(targets.values()))
        or sharded.missing is not None
        or any(_is_split(p) or id(p) in parameters for p in targets.values())
    )


def _late_stage(name: str) -> str:
    return (
        f"{name} is in a stage of a pipeline that was made after the run was attached; attach "
        "after PipelineStage, or with alone=True, and each stage is a run of its own."
    )


def _named_first(names: list[str]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{names[0]!r}{more}"


def _is_split(parameter: Tensor) -> bool:
    tensor = sys.modules.get("torch.distributed.tensor")  # not imported: not used
    return tensor is not None and isinstance(parameter, tensor.DTensor)


def _lies_elsewhere(parameter: Any, processes: int) -> bool:
    """Return whether there are ranks that have no part of a parameter."""
    return _is_split(parameter) and parameter.device_mesh.size() != processes


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
