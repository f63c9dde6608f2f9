"""Notices the optimizers and models that a script makes, and has them attached to."""

from __future__ import annotations

import gc
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from ..base.guard import Guard, TellingHook
from ..base.source import Callers
from ..base.undo import Handles, whole
from ..gates.labels import ATTACHED
from ..model.inner_optimizers import with_inner
from ..session.run import Run, job_of
from ..torch_compat.autograd import inside_backward
from ..torch_compat.patching import Interception, new_instances
from .discovery import NOTHING_FOUND, Found, find, with_gradients

_COMPILED = r"Using `torch.compile\(module\)` when there are global hooks on modules"
MOST_RUNS = 8
"""A script that makes its optimizers anew again and again is followed so many times."""


class Follower(Protocol):
    """Attaches to what is found, and follows what becomes of it."""

    def attach(self, found: Found) -> Run | None:
        """Attach to what was found; None where that cannot be."""

    def run_made(self, run: Run) -> None:
        """Take in a run that the script itself has made."""

    def stepped(self, run: Run) -> None:
        """Take in a step of an optimizer, after the end of the run's step if it is one."""

    def end(self, run: Run, *, failed: bool) -> None:
        """End a run that was attached here."""

    def replace(self, run: Run) -> None:
        """End a run that one with more models comes in place of."""


class Watch:
    """Attaches at the first forward that has gradients switched on, once an optimizer is there.

    By then the others that belong to it are mostly there, and the model is wrapped. Where no
    module holds what it trains, or one has a gradient that is in no optimizer, it looks once more
    after the first step. What is made later has a run of its own; a new optimizer for a model
    that has one ends that one. A run that the script itself makes is left as it is.

    Only the process that made it is watched: not workers of a loader, nor what the script spawns.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._guard = Guard()
        self._process = os.getpid()
        self._pending: list[weakref.ref[Optimizer]] = []
        """Those that nothing is attached to yet."""
        self._known: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._callers = Callers()
        self._places: weakref.WeakKeyDictionary[Optimizer, str] = weakref.WeakKeyDictionary()
        """Where each was made."""
        self._called: dict[int, weakref.ref[nn.Module]] = {}
        self._looked = False
        """At a forward, since the latest optimizer was made."""
        self._attaching = False
        self._attached = False
        """At any time, by the follower or by the script."""
        self._first_step = False
        """The first step of what was attached to is to come."""
        self._graded: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        """What had a gradient before it."""
        self._runs: list[weakref.ref[Run]] = []
        """Those of the follower; hooks on their optimizers keep them as long as these are there."""
        self.optimizers: list[str] = []
        """The kind of each optimizer that was seen."""
        self.loose = 0
        """Tensors that optimizers hold, and no module that was found."""
        self._making: tuple[Interception, ...] = (
            new_instances(Optimizer, lambda arguments, _: self._init_ended(arguments[0])),
            new_instances(Run, lambda arguments, _: self._run_made(arguments[0])),
        )
        self._steps, self._forwards = Handles(), Handles()
        with whole([self._notice_nothing]):
            for each in self._making:
                each.start(self._guard)
            self._steps.add(register_optimizer_step_pre_hook, self._hook(self._step_begins))
            self._steps.add(register_optimizer_step_post_hook, self._hook(self._step_ended))

    def stop(self, *, failed: bool) -> None:
        """Notice nothing any more, and end every run; ``failed``: the script raised. Idempotent."""
        self._guard.undo(self._notice_nothing)
        for run in self._living():
            with self._guard:
                self._follower.end(run, failed=failed)
        self._runs.clear()

    def _notice_nothing(self) -> None:
        self._steps.remove()
        self._listen_to_forwards(False)
        for each in self._making:
            each.stop()

    def _hook(self, act: Callable[..., object]) -> TellingHook:
        return TellingHook(self._guard, act)

    @property
    def lack(self) -> str | None:
        """Say why nothing was attached to, or return None."""
        if self._attached:
            return None
        if not self.optimizers:
            return "no torch.optim.Optimizer was made in this process"
        names = ", ".join(dict.fromkeys(self.optimizers))
        if self.loose:
            return f"no module holds the {self.loose} tensors of the optimizers ({names})"
        if self._looked:
            return f"no module that was called holds what the optimizers have ({names})"
        return f"no model was called with gradients, and no optimizer stepped ({names})"

    @property
    def _watching(self) -> bool:
        return os.getpid() == self._process

    def _living(self) -> list[Run]:
        """Return the runs of the follower that have not ended."""
        runs = [run for ref in self._runs if (run := ref()) is not None]
        return [run for run in runs if job_of(run).state.attached]

    def _init_ended(self, optimizer: Optimizer) -> None:
        place = self._callers.chain().script
        if place is not None and self._watching:
            self._places[optimizer] = f"{place.file}:{place.line}"
        self._made(optimizer)

    def _made(self, optimizer: Optimizer) -> None:
        if self._watching and not any(each() is optimizer for each in self._pending):
            self.optimizers.append(type(optimizer).__name__)
            self._pending.append(weakref.ref(optimizer))
            self._looked = False
            self._listen_to_forwards(True)

    def _run_made(self, run: Run) -> None:
        if not self._watching:
            return
        self._attached = True
        if not self._attaching:
            self._mark(job_of(run).optimizers)
            self._follower.run_made(run)

    def _mark(self, optimizers: Iterable[Optimizer]) -> None:
        """Look for nothing that these train any more."""
        for optimizer in optimizers:
            self._known.add(optimizer)
        self._pending = [each for each in self._pending if each() not in self._known]
        self._listen_to_forwards(bool(self._waiting()))

    def _waiting(self) -> list[Optimizer]:
        """Return the living optimizers that nothing is attached to."""
        return [each for ref in self._pending if (each := ref()) is not None]

    def _listen_to_forwards(self, wanted: bool) -> None:
        if wanted and not self._forwards:
            # Ours is gone before the compiled forward that the warning is about.
            warnings.filterwarnings("ignore", _COMPILED, UserWarning)
            self._forwards.add(register_module_forward_pre_hook, self._hook(self._forward_begins))
        elif not wanted and self._forwards:
            self._forwards.remove()
            self._called.clear()

    def _forward_begins(self, module: nn.Module, _: Any) -> None:
        if torch.compiler.is_compiling() or not (torch.is_grad_enabled() and self._watching):
            return
        if not _has_its_own(module):
            return
        self._called[id(module)] = weakref.ref(module)
        if not self._looked and not inside_backward():
            self._looked = True
            self._look(last=False)

    def _step_begins(self, optimizer: Optimizer, *_: Any) -> None:
        if not self._watching:
            return
        if optimizer not in self._known:
            self._made(optimizer)  # of a copy no __init__ was called

    def _step_ended(self, *_: Any) -> None:
        # Not before the step: its gradients would be taken for those of an earlier one.
        if not self._watching or inside_backward():
            return
        if self._pending:
            self._look(last=True)
        if self._first_step:
            self._first_step = False
            self._look_beside()

    def _look(self, *, last: bool) -> None:
        """Attach to what the optimizers train; ``last``: there will be no better moment."""
        waiting = self._waiting()
        found = self._find(waiting, last=last)
        if any(id(model) not in self._called for model in found.models.values()):
            del found  # a wrapper that is gone must not count as the model
            gc.collect()
            found = self._find(waiting, last=last)
        if not found.models and not last:
            return
        earlier = [run for run in self._living() if _overlap(run, found)]
        if earlier:
            waiting += [each for run in earlier for each in job_of(run).optimizers]
            found = self._find(waiting, last=last)
        self.loose += found.loose
        self._mark(waiting)
        if not found.models or len(self._runs) >= MOST_RUNS:
            return
        for run in earlier:
            self._follower.end(run, failed=False)
        if not ATTACHED.is_watched(found.models.values()):
            self._attach(found)

    def _look_beside(self) -> None:
        """Attach anew where a model has a gradient by now, and no optimizer: a forgotten head."""
        living = self._living()
        if len(living) != 1:
            return
        job = job_of(living[0])
        new = [each for each in self._with_gradients() if each not in self._graded]
        self._called.update({id(each): weakref.ref(each) for each in new})
        found = self._find(list(job.optimizers), last=False)
        self._called.clear()
        if found.keys() - {id(each) for each in job.table.parameters}:
            self._follower.replace(living[0])
            self._attach(found)

    def _attach(self, found: Found) -> None:
        self._attaching = True
        try:
            run = self._follower.attach(found)
        finally:
            self._attaching = False
        if run is None:
            return
        self._attached = self._first_step = True
        self._graded = weakref.WeakSet(self._with_gradients())
        self._runs.append(weakref.ref(run))
        for optimizer in with_inner(found.optimizers):
            optimizer.register_step_post_hook(self._hook(lambda *_: self._stepped(run)))

    def _stepped(self, run: Run) -> None:
        if self._watching and job_of(run).state.attached:
            self._follower.stepped(run)

    def _find(self, optimizers: list[Optimizer], *, last: bool) -> Found:
        called = {key for key, ref in self._called.items() if ref() is not None}
        with self._guard:  # it looks at objects of every kind
            found = find(optimizers, called, sys._getframe(), last=last)
            places = [self._places[each] for each in found.optimizers if each in self._places]
            return replace(found, made_at=next(iter(places), None))
        return NOTHING_FOUND

    def _with_gradients(self) -> list[nn.Module]:
        with self._guard:
            return with_gradients()
        return []


def _has_its_own(module: nn.Module) -> bool:
    """Return whether a module has parameters: in a functional call it holds other tensors."""
    parameters = list(module.parameters())
    return bool(parameters) and all(isinstance(each, nn.Parameter) for each in parameters)


def _overlap(run: Run, found: Found) -> bool:
    """Return whether a run watches a parameter of what was found."""
    keys = found.keys()
    return any(id(each) in keys for each in job_of(run).table.parameters)
