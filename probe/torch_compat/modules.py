"""What ``nn.Module`` keeps to itself: its tables, its hooks, its kinds.

All names were seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from ..base.undo import whole
from .parts import Part


def _table(name: str) -> Any:
    """Return whether modules have a table of this name: one is made with each of them."""
    return True if name.rpartition(".")[2] in nn.Module().__dict__ else None


_PARAMETERS = Part(
    "torch.nn.Module._parameters",
    otherwise="every assignment to a module counts as a change of the model",
    look=_table,
)
_MODULES = Part(
    "torch.nn.Module._modules",
    otherwise="every assignment to a module counts as a change of the model",
    look=_table,
)
_BUFFERS = Part(
    "torch.nn.Module._buffers",
    otherwise="a buffer that the closure of an explain() adds stays there",
    look=_table,
)
_PRE_HOOKS = Part(
    "torch.nn.Module._forward_pre_hooks",
    otherwise="explain() does not know of the run that a model is attached to",
    look=_table,
)
_FORWARD_HOOKS = Part(
    "torch.nn.Module._forward_hooks",
    otherwise="torch.jit.script refuses an attached model",
    look=_table,
)
_CALL = Part(
    "torch.nn.Module._wrapped_call_impl",
    otherwise="a module that a checkpoint was given is not known again",
)
_NORM_BASE = Part(
    "torch.nn.modules.batchnorm._NormBase",
    otherwise="statistics are known of torch's own normalisation layers only",
)
PARTS = (_PARAMETERS, _MODULES, _BUFFERS, _PRE_HOOKS, _FORWARD_HOOKS, _CALL, _NORM_BASE)

CALLS = ("forward", "__call__", _CALL.name.rpartition(".")[2])
"""The names of a module's methods that call it."""

_NORMS: Any = _NORM_BASE.or_else(
    (
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.BatchNorm3d,
        nn.SyncBatchNorm,
        nn.InstanceNorm1d,
        nn.InstanceNorm2d,
        nn.InstanceNorm3d,
    )
)


OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""The names of what ``nn.Module`` itself keeps in each module: tables, hooks, modes."""


def tables(module: nn.Module) -> list[dict[str, Any]]:
    """Return the tables of what a module itself holds; a scripted one has none in Python."""
    parts = (_PARAMETERS, _BUFFERS, _MODULES)
    found = (vars(module).get(part.name.rpartition(".")[2]) for part in parts)
    return [table for table in found if isinstance(table, dict)]


def has_parameter(module: nn.Module, name: str, parameter: object) -> bool:
    """Return whether a module itself holds exactly this parameter under a name.

    ``named_parameters(recurse=False)`` goes through all of them, and this is asked at each
    assignment.
    """
    return not _PARAMETERS.missing and module._parameters.get(name) is parameter


def has_child(module: nn.Module, name: str, child: object) -> bool:
    """Return whether a module itself holds exactly this module under a name."""
    return not _MODULES.missing and module._modules.get(name) is child


def forward_pre_hooks(module: nn.Module) -> Iterator[Any]:
    """Yield the hooks that are called before a module's forward, the latest first."""
    return iter(()) if _PRE_HOOKS.missing else reversed(module._forward_pre_hooks.values())


def register_first(
    module: nn.Module, hook: Callable[..., Any], *, with_kwargs: bool = False
) -> RemovableHandle:
    """Register a hook before a module's forward, to be called before those that are there.

    ``prepend=True`` says that, too, and is what is done where the table is not known. But it moves
    the hook within an ``OrderedDict`` only, and Dynamo counts by the places of a plain dict: up to
    torch 2.11 compiled code then takes one hook for another
    (https://github.com/pytorch/pytorch/issues/160083).
    """
    if _PRE_HOOKS.missing:
        return module.register_forward_pre_hook(hook, prepend=True, with_kwargs=with_kwargs)
    handle = module.register_forward_pre_hook(hook, with_kwargs=with_kwargs)
    hooks = module._forward_pre_hooks
    with whole([handle.remove]):
        for other in [number for number in hooks if number != handle.id]:
            hooks[other] = hooks.pop(other)
    return handle


@contextmanager
def without_hooks(
    modules: Iterable[nn.Module], is_hidden: Callable[[object], bool]
) -> Iterator[None]:
    """Take some of the hooks around the forwards of modules away, and put all back in order."""
    if _PRE_HOOKS.missing or _FORWARD_HOOKS.missing:
        yield
        return
    pairs = ((module._forward_pre_hooks, module._forward_hooks) for module in modules)
    tables = [(table, dict(table)) for pair in pairs for table in pair if table]
    for table, hooks in tables:
        for number in [number for number, hook in hooks.items() if is_hidden(hook)]:
            del table[number]
    try:
        yield
    finally:
        for table, hooks in tables:
            table.clear()
            table.update(hooks)


def keeps_statistics(module: nn.Module) -> bool:
    """Return whether a module updates running statistics in training: BatchNorm and its kin."""
    return isinstance(module, _NORMS) and module.running_mean is not None
