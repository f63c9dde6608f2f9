"""What ``torch.compile`` has to do with the models."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import torch
from torch import nn

from .heap import living


def is_compiled(models: Mapping[str, nn.Module]) -> bool:
    """Whether a module of the models is compiled, or wrapped in a compiled one."""
    if "torch._dynamo.eval_frame" not in sys.modules:
        return False
    modules = [module for model in models.values() for module in model.modules()]
    if any(module._compiled_call_impl is not None for module in modules):
        return True
    optimized = torch._dynamo.eval_frame.OptimizedModule
    if any(isinstance(module, optimized) for module in modules):
        return True
    # ``compiled = torch.compile(model)`` with ``model`` attached: the wrapper holds the
    # model, not the other way round.
    ours = {id(module) for module in modules}
    return any(id(module) in ours for wrapper in living(optimized) for module in wrapper.modules())


def has_compiled_code() -> bool:
    """Whether ``torch.compile`` has compiled anything in this process."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and bool(dynamo.counters["frames"]["ok"])


def forget_compiled_code() -> None:
    """Drop compiled code, so that it is made anew from what hooks and flags are now.

    Hooks that were added after the first compiled call would never fire, and a function
    that has seen eight different freezes falls back to eager mode
    (``torch._dynamo.config.recompile_limit``) with a log line only. Nothing happens where
    nothing was compiled (https://docs.pytorch.org/docs/stable/generated/torch.compiler.reset.html).
    """
    if has_compiled_code():
        torch.compiler.reset()
