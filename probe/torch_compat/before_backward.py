"""What is to be done just before a backward begins."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch
from torch.compiler import is_dynamo_compiling

from ..base.guard import Guard
from ..base.weak_methods import while_alive
from .dynamo import compile_with_callers_only, compiles_calls
from .patching import Interceptions, runs_of_autograd, sees_backwards, weakly


class BeforeBackward:
    """Calls a method before each ``backward``, or ``grad``, of the thread that makes the steps.

    In no other: its backward may begin while that one is in its own, in which the engine writes
    gradients and goes through hooks, and asks for no lock. To touch one meanwhile would end the
    process. Backwards that C++ begins are not seen.
    """

    works = sees_backwards
    """Whether backwards are seen at all in this version of torch."""

    def __init__(self, guard: Guard, begins: Callable[[], None]) -> None:
        """``begins``: a bound method, whose object is not kept alive."""
        self._begins = while_alive(begins, _nothing)
        compile_with_callers_only(BeforeBackward._run)
        self._note_apart: Callable[[], None] = torch.compiler.disable(self._note)
        self.thread = 0
        """That has asked for it last, and so makes the steps."""
        self.elsewhere = False
        """Whether a backward began in another thread meanwhile."""
        self.missed = False
        """Whether one was found to have come that was not seen, by whoever asks."""
        self.count = 0
        """How many were seen to begin, in any thread."""
        self._runs = Interceptions(self, guard, [runs_of_autograd(weakly(self._run))])

    @property
    def sees_all(self) -> bool:
        """Whether every backward has been told before it began, as far as is known."""
        return self.works and not (self.elsewhere or self.missed)

    def start(self) -> None:
        """Call the method before each backward of this thread from here on."""
        self.thread = get_ident()
        self._runs.follow(needed=True)

    def stop(self) -> None:
        """Call it no longer. Idempotent."""
        self._runs.follow(needed=False)

    def _run(self, run: Callable[..., Any], *args: Any, **more: Any) -> Any:
        # In a compiled step Dynamo would make something of what is done here.
        if is_dynamo_compiling() or compiles_calls():
            self._note_apart()
        else:
            self._note()
        return run(*args, **more)

    def _note(self) -> None:
        self.count += 1
        if get_ident() == self.thread:
            self._begins()
        else:
            self.elsewhere = True


def _nothing() -> None:
    """Do nothing: whoever asked is gone."""
