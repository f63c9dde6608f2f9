"""Module hooks that are no part of what the user makes of a model: a copy, a pickle, a program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from ..base.account import Account
from ..base.guard import Guard, GuardedHook
from .autograd import is_exported, is_traced
from .dynamo import compile_with_callers_only, compiles_calls
from .modules import without_hooks
from .patching import Interceptions, scripting


class ModuleHook(GuardedHook):
    """A hook for the job's own forwards, which leaves alone what else is made of its module.

    It does nothing in a forward that is exported or traced, so that the program is what it is
    without Gradgate. A deep copy or a pickle of the module has one that does nothing at all:

    ``copy.deepcopy(model)`` and ``torch.save(model)`` take a module's hooks along. A bound
    method would drag the whole run (locks, threads) with it and fail; a momentum copy of
    the model would report as if it were the original. The stand-in is
    ``nullcontext().__exit__``: it takes any arguments, returns None, and needs no Gradgate
    where the pickle is loaded.
    """

    def __init__(
        self, guard: Guard, function: Callable[..., Any], *, in_traces: bool = False
    ) -> None:
        """``in_traces``: it is called by ``torch.jit.trace``, too, which really runs a forward."""
        super().__init__(guard, function)
        self.rests = False
        """It has nothing to do at present, so that a call of it is not even accounted for."""
        self._in_traces = in_traces
        self._apart: Callable[..., Any] | None = None
        for own in (GuardedHook.__call__, GuardedHook.run, ModuleHook.run, Account.end):
            compile_with_callers_only(own)

    @property
    def owner(self) -> object:
        """The object whose method it calls, if it is a method."""
        return getattr(self._function, "__self__", None)

    def trace(self, *args: Any, **named: Any) -> Any:
        """Call the function, but for a program that is exported."""
        return None if torch.compiler.is_exporting() else self._function(*args, **named)

    def run(self, *args: Any, **named: Any) -> Any:
        """Call the function; where Dynamo compiles what is called, it leaves this alone.

        It calls the hooks of a module one by one where it cannot trace the module's forward as a
        whole, and would compile each, several versions of it: guards that every forward asks.
        """
        if self.rests:
            return None
        if not compiles_calls():
            return self._act(*args, **named)
        if self._apart is None:
            self._apart = torch.compiler.disable(ModuleHook._act)
        return self._apart(self, *args, **named)

    def _act(self, *args: Any, **named: Any) -> Any:
        if is_exported() and not (self._in_traces and is_traced()):
            return None
        return self._function(*args, **named)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")


class HooksApart:
    """Lets ``torch.jit.script`` see modules without these hooks, which it would have to compile."""

    def __init__(self, guard: Guard) -> None:
        # It holds no run, so that one that is dropped without a detach can be collected.
        surrounding = scripting(_without_own_hooks)
        self._scripting = Interceptions(self, guard, [] if surrounding is None else [surrounding])
        self._scripting.follow(needed=True)

    def remove(self) -> None:
        """Let it see all hooks again. Idempotent."""
        self._scripting.follow(needed=False)


def untraced(hook: Callable[..., Any]) -> Any:
    """Return a hook for the modules of the whole process that Dynamo leaves alone.

    Compiled autograd makes modules while it compiles, and one that is half made cannot be traced:
    that would raise in the job.
    """
    return torch.compiler.disable(hook)


def takes_hooks(module: nn.Module) -> bool:
    """Return whether a module calls hooks written in Python: one of TorchScript does not."""
    return not isinstance(module, torch.jit.ScriptModule)


def _without_own_hooks(
    module: nn.Module, *_: object, **more: object
) -> AbstractContextManager[None]:
    return without_hooks(filter(takes_hooks, module.modules()), _is_own)


def _is_own(hook: object) -> bool:
    stand_in = getattr(hook, "__func__", None) is nullcontext.__exit__
    return stand_in or isinstance(hook, ModuleHook)
