"""What ``torch.compile`` has to do with the models.

``torch.compiler`` tells whether code is being compiled, and neither whether a module was nor
whether anything was. Nothing here imports Dynamo, which takes seconds: where nobody has, nothing
is compiled. All names were seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from inspect import getclosurevars
from typing import Any

import torch
from torch import nn

from .heap import living
from .parts import Part

_CALLBACK = Part(
    "torch._C._dynamo.eval_frame.get_eval_frame_callback",
    otherwise="hooks on modules that are not compiled are kept from Dynamo, too, for microseconds",
)
PARTS = (_CALLBACK,)


def optimized_module() -> type[nn.Module] | None:
    """Return the class of what ``torch.compile(module)`` returns, where Dynamo was imported.

    Without it (``torch._dynamo.eval_frame.OptimizedModule``), a job in which anything was
    compiled counts as one whose models are: see :func:`is_compiled`.
    """
    kind: type[nn.Module] | None = getattr(_eval_frame(), "OptimizedModule", None)
    return kind


def is_compiled(modules: Iterable[nn.Module], wrappers: Iterable[nn.Module] | None = None) -> bool:
    """Return whether one of some modules is compiled, or wrapped in a compiled one.

    ``wrappers``: what ``torch.compile`` has returned in this process; looked for on the heap when
    it is not given.
    """
    if _eval_frame() is None:
        return False
    ours = {id(module): module for module in modules}
    # By ``module.compile()``, since 2.2.
    if any(_compiled_call(m) is not None for m in ours.values()):
        return True
    kind = optimized_module()
    if kind is None:
        return has_compiled_code()
    if any(isinstance(module, kind) for module in ours.values()):
        return True
    # ``compiled = torch.compile(model)`` with ``model`` attached: the wrapper holds the
    # model, not the other way round.
    found = living(kind) if wrappers is None else wrappers
    return any(id(m) in ours for w in found if isinstance(w, kind) for m in w.modules())


def breaks_graphs(modules: Iterable[nn.Module], wrappers: Iterable[nn.Module]) -> bool:
    """Return whether all that compiles these modules breaks its graph at what it cannot trace.

    With ``fullgraph=True`` it raises there. Where that cannot be seen (``fullgraph`` of
    ``OptimizedModule.dynamo_ctx``, or of what ``module.compile()`` keeps in a closure; seen in
    torch 2.13 to 2.15), it counts as if it did.
    """
    ours = {id(module): module for module in modules}
    kind = optimized_module()
    contexts = [_context_of(m) for m in ours.values() if _compiled_call(m) is not None]
    for wrapper in {id(w): w for w in (*wrappers, *ours.values())}.values():
        of_compile = kind is not None and isinstance(wrapper, kind)
        if of_compile and any(id(m) in ours for m in wrapper.modules()):
            contexts.append(getattr(wrapper, "dynamo_ctx", None))
    return all(_breaks(context) for context in contexts)


def _breaks(context: object) -> bool:
    raises = getattr(context, "fullgraph", True) or getattr(context, "error_on_graph_break", False)
    return not raises


def _compiled_call(module: nn.Module) -> Any:
    return getattr(module, "_compiled_call_impl", None)


def _context_of(module: nn.Module) -> object:
    """Return what ``module.compile()`` has compiled a module's call by, or None."""
    try:
        return getclosurevars(_compiled_call(module)).nonlocals.get("self")
    except TypeError:
        return None


def has_compiled_code() -> bool:
    """Return whether ``torch.compile`` has compiled anything in this process.

    Where Dynamo does not count (``torch._dynamo.utils.counters``), it may have.
    """
    utils = sys.modules.get("torch._dynamo.utils")
    if utils is None:
        return False
    counters = getattr(utils, "counters", None)
    return counters is None or bool(counters["frames"]["ok"])


def forget_compiled_code() -> None:
    """Drop compiled code, so that it is made anew from what hooks and flags are now.

    Hooks that were added after the first compiled call would never fire, and a function
    that has seen eight different freezes falls back to eager mode
    (``torch._dynamo.config.recompile_limit``) with a log line only. Nothing happens where
    nothing was compiled (https://docs.pytorch.org/docs/stable/generated/torch.compiler.reset.html).
    """
    if has_compiled_code():
        torch.compiler.reset()


def compile_with_callers_only(function: Any) -> None:
    """Let Dynamo make nothing of a function that it calls; it traces it as a part of what it makes.

    Where that cannot be said (``torch._dynamo.eval_frame.skip_code``, seen in torch 2.13 to 2.15),
    or Dynamo is imported later, it makes of it what it can.
    """
    skip = getattr(_eval_frame(), "skip_code", None)
    if skip is not None:
        skip(function.__code__)


def force_eager() -> Any:
    """Let compiled functions run eagerly; return what ends that by its ``__exit__``, or None.

    None where there is nothing to end: without Dynamo, or where it is so already, for then it is
    another's to end. Where that cannot be seen (``torch._dynamo.eval_frame._stance``), it is
    set anew, which does no harm to those that end in order.
    """
    eval_frame = _eval_frame()
    if eval_frame is None:
        return None
    stance = getattr(getattr(eval_frame, "_stance", None), "stance", None)
    return None if stance == "force_eager" else torch.compiler.set_stance("force_eager")


def _eval_frame() -> Any:
    return sys.modules.get("torch._dynamo.eval_frame")


compiles_calls: Any = _CALLBACK.or_else(lambda: True)
"""Return something true where Dynamo compiles what is called now, as in a compiled function."""
