"""The backward that is under way, and what stands around a forward.

Public torch tells none of this: ``torch.autograd.graph`` has hooks for tensors and nodes, and no
word on whether a backward runs, when it ends, or who has asked to pack saved tensors.
All names were seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from ..base.guard import Guard, GuardedHook
from .parts import EXPLAINING, FREEZING, GATING, Part

_GRAPH_TASK = Part(
    "torch._C._current_graph_task_id",
    otherwise="a step made inside a backward is taken for one after it",
    needed_for=(EXPLAINING,),
)
_ENGINE = Part(
    "torch.autograd.Variable._execution_engine.queue_callback",
    otherwise="nothing is done at the end of a backward, so its time is unknown",
    needed_for=(GATING,),
)
_SAVING_HOOKS = Part(
    "torch._C._autograd._top_saved_tensors_default_hooks",
    otherwise="a checkpoint under way is not seen",
    needed_for=(FREEZING,),
)
_CHECKPOINT = Part(
    "torch.utils.checkpoint._checkpoint_hook",
    otherwise="a checkpoint under way is not seen",
    needed_for=(FREEZING,),
)
_RECOMPUTATION = Part(
    "torch.utils.checkpoint._recomputation_hook",
    otherwise="a checkpoint that plays its function again is not seen",
    needed_for=(FREEZING,),
)
_FORWARD_LEVEL = Part(
    "torch.autograd.forward_ad._current_level",
    otherwise="no graph is cut in the forward, so a closed gate saves less",
)
_TRANSFORMS = Part(
    "torch._C._are_functorch_transforms_active",
    otherwise="no graph is cut in the forward, so a closed gate saves less",
)
_SYMBOLIC_TRACE = Part(
    "torch.fx._symbolic_trace.is_fx_symbolic_tracing",
    otherwise="a symbolic trace counts as a forward of the job",
)
_METADATA = Part(
    "torch.autograd.graph.Node._input_metadata",
    otherwise="a gradient that was asked for by an edge, and that a command kept away, is None",
)
_NUMBER = Part(
    "torch.autograd.graph.Node._sequence_nr",
    otherwise="a gate on a module that returns several tensors looks at all of the graph",
)
PARTS = (
    _GRAPH_TASK,
    _ENGINE,
    _SAVING_HOOKS,
    _CHECKPOINT,
    _RECOMPUTATION,
    _FORWARD_LEVEL,
    _TRANSFORMS,
    _SYMBOLIC_TRACE,
    _METADATA,
    _NUMBER,
)

_graph_task: Callable[[], int] = _GRAPH_TASK.or_else(lambda: -1)
_top_saving_hooks = _SAVING_HOOKS.or_else(lambda _: None)
_symbolically_traced: Callable[[], bool] = _SYMBOLIC_TRACE.or_else(lambda: False)
_transforms_active: Callable[[], bool] = _TRANSFORMS.or_else(lambda: True)
_CHECKPOINTS = tuple(
    part.name.rpartition(".")[2] for part in (_CHECKPOINT, _RECOMPUTATION) if not part.missing
)


def inside_backward() -> bool:
    """Return whether this thread is inside a backward."""
    return _graph_task() != -1


def in_engine_thread() -> bool:
    """Return whether this is a thread of autograd's own, as the backward of a GPU runs in.

    One that Python did not make has a stand-in for its object.
    """
    return inside_backward() and isinstance(threading.current_thread(), threading._DummyThread)


def call_after_backward(callback: Callable[[], object]) -> bool:
    """Have ``callback`` called once the backward under way is over; return whether it will be.

    To be called inside a backward. Callbacks run in the order in which they came.
    """
    if _ENGINE.missing:
        return False
    _ENGINE.value(callback)
    return True


def between_hooks(action: Callable[[], object], guard: Guard) -> None:
    """Do what adds or removes hooks of parameters: inside a backward once that is over.

    There ``fully_shard`` (FSDP2) goes through the hooks of a parameter to call each, and raises
    where they change meanwhile.
    """
    if not (inside_backward() and call_after_backward(GuardedHook(guard, action))):
        action()


def inside_checkpoint() -> bool:
    """Return whether a non-reentrant activation checkpoint runs, or plays its function again.

    Such a checkpoint packs saved tensors by a hook of its own, which its name gives away.
    A reentrant one has none.
    """
    hooks = _top_saving_hooks(False)
    name = "" if hooks is None else getattr(hooks[0], "__qualname__", "")
    return any(known in name for known in _CHECKPOINTS)


def observed_by_transforms() -> bool:
    """Return whether ``torch.func``, forward-mode AD or a trace looks at what happens now."""
    # Read anew each time: it is a number that torch rebinds.
    level = getattr(torch.autograd.forward_ad, "_current_level", 0)
    return _transforms_active() or level >= 0 or is_traced()


def is_traced() -> bool:
    """Return whether ``torch.jit.trace`` runs what happens now; public, and not typed."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]


def is_exported() -> bool:
    """Return whether a forward runs for a program to be made of it, and not for the job.

    By ``torch.export``, ``torch.jit.trace`` or ``torch.fx.symbolic_trace``. Not to be asked while
    Dynamo traces, which takes up ``torch.compiler.is_exporting()`` alone.
    """
    return torch.compiler.is_exporting() or is_traced() or _symbolically_traced()


def zeros_for(edge: GradientEdge, *, requires_grad: bool) -> Tensor | None:
    """Return zeros like the gradient that goes through an edge of the graph."""
    if _METADATA.missing:
        return None
    like = edge.node._input_metadata[edge.output_nr]
    return torch.zeros(
        like.shape, dtype=like.dtype, device=like.device, requires_grad=requires_grad
    )


def number_of(node: Node) -> int:
    """Return a number that is larger in nodes that a thread made later; 0 where there is none."""
    return 0 if _NUMBER.missing else node._sequence_nr()
