"""Backwards without a step of the run: nothing is measured then, and no command is applied."""

from __future__ import annotations

import heapq
import logging
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..base.guard import Guard, GuardedHook
from ..base.source import Callers
from ..base.undo import Handles, Undo, whole
from ..measure.checksums import checksums
from ..measure.local_part import local_part, unreadable
from ..model.membership import Membership
from ..model.table import ParameterTable
from ..torch_compat.autograd import between_hooks, call_after_backward
from ..torch_compat.readback import capturing
from .alerts import Alert

SURE = 3
"""Backwards between which weights changed, after which a step ought to have been seen."""
PATIENCE = 30
"""Backwards after which it is told in any case; more are accumulated by few."""
WATCHED = 8
"""Parameters that are watched, the smallest."""
INSIDE = (
    "No step() is called: the gradients are applied inside each backward, so that each backward "
    "counts as a step."
)

logger = logging.getLogger("gradgate")


@dataclass
class _Watched:
    """A parameter, as of the latest backward that came to it."""

    parameter: nn.Parameter
    backwards: int = 0
    moves: int = 0
    """Backwards since which its bits had changed at the next."""
    bits: int | None = None


@dataclass(frozen=True)
class _Stepping:
    """Another optimizer, that steps on what is watched."""

    name: str
    where: str | None


@dataclass
class _Found:
    """What was seen until the first step."""

    backwards: int = 0
    moves: int = 0
    other: _Stepping | None = None
    arrived: set[int] = field(default_factory=set)
    queued: bool = False


class NoSteps:
    """Counts the backwards that come before a first step is seen, and tells of too many.

    Where something changes the weights between them the step was missed, and a few are enough.
    Where nothing does, gradients may be accumulated on purpose: then it is told late, and fails
    a strict run only at its end.

    A few small parameters are watched, until the first step: of those that the optimizers hold,
    or of all where none is held.
    """

    def __init__(
        self,
        table: ParameterTable,
        members: Membership,
        optimizers: Sequence[Optimizer],
        guard: Guard,
        *,
        changed: Callable[[str | None], None],
        applied_inside: Callable[[], None],
    ) -> None:
        """``changed`` is called with what is told from now on, None once a step was seen.

        ``applied_inside`` is called when gradients are gone at the end of a backward and the
        weights have changed: what applies them does it inside the backward.
        """
        self._names = [type(optimizer).__name__ for optimizer in optimizers]
        self._guard = guard
        self._changed = changed
        self._applied_inside = applied_inside
        self._callers = Callers()
        self._found = _Found()
        self._told = False
        self._over = False
        """A step was seen."""
        self._inside = False
        """Gradients are applied inside each backward."""
        self._others: Undo | None = None
        self._watched: dict[int, _Watched] = {}
        self._hooks = Handles()
        with whole([self.remove]):
            for index in _smallest(table, members):
                parameter = table.parameters[index]
                hook = GuardedHook(guard, partial(_arrived, weakref.ref(self), index))
                self._hooks.add(parameter.register_post_accumulate_grad_hook, hook)
                self._watched[index] = _Watched(parameter)

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell that no step is seen; at the end of a run a single backward is enough."""
        if self._inside:
            yield Alert(None, None, 0, cause="no_step", detail=INSIDE, level="note")
        if self._over or not (self._told or (last and self._found.backwards)):
            return
        other = self._found.other
        yield Alert(
            None,
            None,
            0,
            cause="no_step",
            detail=self._detail(),
            where=None if other is None else other.where,
            tentative=self._found.moves < SURE,
        )

    def step_seen(self) -> None:
        """Watch no more: the first step has begun."""
        if self._over:
            return
        self._over = True
        self._watched.clear()
        between_hooks(self.remove, self._guard)
        if self._told:
            self._changed(None)

    def remove(self) -> None:
        """Remove every hook. Idempotent."""
        self._hooks.remove()
        self._watched.clear()
        if self._others is not None:
            self._others()
            self._others = None

    def arrived(self, index: int) -> None:
        """Take in that a gradient has come to a watched parameter."""
        found = self._found
        # One that comes again: a backward raised, and what was to be called at its end was not.
        if not found.queued or index in found.arrived:
            found.arrived.clear()
            found.queued = call_after_backward(GuardedHook(self._guard, self._backward_ended))
        found.arrived.add(index)

    def _backward_ended(self) -> None:
        arrived, self._found.arrived = self._found.arrived, set()
        self._found.queued = False
        with self._guard:
            # Removed by a step inside this backward, or not to be read without harm.
            if self._watched and not capturing():
                self._look([self._watched[index] for index in arrived])

    def _look(self, arrived: Sequence[_Watched]) -> None:
        bits = checksums([local_part(each.parameter.detach()) for each in arrived])
        for each, now in zip(arrived, bits, strict=True):
            moved = each.bits is not None and each.bits != now
            each.backwards += 1
            each.moves += moved
            each.bits = now
            if moved and each.parameter.grad is None:
                self._inside = True
                self._applied_inside()
                return
        found = self._found
        found.backwards = max(each.backwards for each in self._watched.values())
        found.moves = max(each.moves for each in self._watched.values())
        if self._others is None and found.backwards > 1:
            self._others = _hook_every_step(self, self._guard)
        if not self._told and (found.moves >= SURE or found.backwards >= PATIENCE):
            self._told = True
            logger.warning("gradgate: %s", self._detail())
            self._changed(self._detail())

    def other_stepped(self, optimizer: Optimizer, frame: FrameType) -> None:
        """Take in that any optimizer has stepped; attached ones have ended the watch by then."""
        with self._guard:
            held = {id(p) for group in optimizer.param_groups for p in group["params"]}
            if any(id(each.parameter) in held for each in self._watched.values()):
                place = self._callers.chain(frame).place
                where = None if place is None else place.text
                self._found.other = _Stepping(type(optimizer).__name__, where)

    def _detail(self) -> str:
        found = self._found
        given = f"of {' or '.join(self._names)}" if self._names else "(by run.step())"
        seen = f"{found.backwards} backward{'s' if found.backwards > 1 else ''}"
        if found.other is not None:
            at = "" if found.other.where is None else f" at {found.other.where}"
            why = (
                f"a {found.other.name}{at}, which attach() was not given, makes the steps: give "
                "attach() that one"
            )
        elif found.moves:
            why = (
                "the weights change all the same, so something else steps: give attach() the "
                "optimizer whose step() is called, or none and call run.step() after each step"
            )
        else:
            why = (
                "the weights stay as they are: call optimizer.step() after the backward, unless "
                "the gradients of so many are accumulated on purpose"
            )
        return (
            f"After {seen} no step {given} was seen, and {why}. Until then nothing is measured, "
            "and no command is applied."
        )


def _arrived(watch: weakref.ref[NoSteps], index: int, _: nn.Parameter) -> None:
    """Pass a gradient on; strong, the hook would keep its own parameter alive for ever."""
    remaining = watch()
    if remaining is not None and not torch.compiler.is_compiling():
        remaining.arrived(index)


def _hook_every_step(watch: NoSteps, guard: Guard) -> Undo:
    """Hear of the steps of every optimizer; the hook, which is global, keeps nothing alive."""
    found = weakref.ref(watch)

    def hook(optimizer: Optimizer, *_: Any) -> None:
        remaining = found()
        if remaining is not None:
            remaining.other_stepped(optimizer, sys._getframe())

    handles = Handles()
    end = Undo(guard, watch, handles.remove)
    handles.add(register_optimizer_step_post_hook, GuardedHook(guard, hook))
    return end


def _smallest(table: ParameterTable, members: Membership) -> list[int]:
    readable = [
        index
        for index, parameter in enumerate(table.parameters)
        if parameter.requires_grad and unreadable(parameter) is None and parameter.numel()
    ]
    held = [index for index in readable if members.in_optimizer[index]]
    return heapq.nsmallest(WATCHED, held or readable, key=lambda i: table.parameters[i].numel())
