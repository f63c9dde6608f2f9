"""Finds gradients that nobody clears between steps, so that each step applies old ones again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer

from ..base.guard import Guard, GuardedHook
from ..base.undo import Handles, whole
from ..diagnosis.update_causes import NotCleared
from ..live.alerts import Alert, alert_of
from ..model.table import ParameterTable
from ..torch_compat.autograd import inside_backward
from ..torch_compat.before_backward import BeforeBackward
from ..torch_compat.versions import version
from .step_places import StepPlaces

CONFIRMED = 2
"""Steps in a row that have to agree."""


@dataclass
class _Watched:
    """A gradient from the end of a step on, until the next step uses it."""

    parameter: Tensor
    grad: weakref.ref[Tensor]
    """Held no longer than the script holds it: one that it drops is to be freed at once."""
    version: int
    guard: Guard
    hooked: bool = False
    """Hooks tell what comes to it."""
    untouched: bool = True
    """Nothing has written to it but the backwards themselves, each of which adds in place, once."""
    arrived: int = 0
    """Backwards that have come."""
    contents: list[Tensor] = field(default_factory=list)
    """By backward, while it is untouched: whether anything was left in it."""
    added: int = 0
    """Backwards that have added to it; what ``autograd.grad`` returns is added to nothing."""

    def arrive(self, _: Tensor) -> None:
        """Look at what is there, just before a backward adds to it."""
        with self.guard:
            grad = self.parameter.grad
            self.untouched &= grad is not None and self._is_as_left(grad)
            if grad is not None and self.untouched:
                # PyTorch does not count a write as grad.data.zero_(), which leaves zeros.
                self.contents.append(grad.detach().any())
            self.arrived += 1

    def add(self, _: Tensor) -> None:
        """Count a backward that has added to it."""
        self.added += 1

    def _is_as_left(self, grad: Tensor) -> bool:
        return grad is self.grad() and bool(version(grad) == self.version + self.arrived)

    @property
    def left(self) -> bool:
        """Whether the script has not dropped it."""
        grad = self.parameter.grad
        return grad is not None and grad is self.grad()

    @property
    def kept(self) -> bool:
        """Return whether each backward has added to what the step had left."""
        added = 0 < self.added == self.arrived
        return self.untouched and added and all(map(bool, self.contents))


@dataclass(frozen=True)
class _Kept:
    """The gradients of one optimizer that were not cleared."""

    steps: int
    """That were looked at and agree."""
    since_step: int
    indexes: list[int]
    whole: bool
    """All that a backward came to were not cleared."""


class UnclearedGradients:
    """Watches the gradients that outlive a step: a source of alerts; ``k`` numbers the optimizers.

    Most scripts drop theirs, and are never hooked: a hook that is removed still costs something in
    every backward, see :class:`~gradgate.probe.measure.arrival_hooks.ArrivalHooks`. Where gradients
    are there as the next backward begins, hooks look at each before it adds to it, for a few steps
    and then seldom.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        held_by: Callable[[int], Iterable[int]],
        places: StepPlaces,
        guard: Guard,
    ) -> None:
        """``held_by``: the parameters of optimizer k."""
        self._optimizers = optimizers
        self._table = table
        self._held_by = held_by
        self._places = places
        self._guard = guard
        self.watched: dict[int, dict[int, _Watched]] = {}
        """By optimizer and parameter."""
        self._waiting: dict[int, int] = {}
        """Optimizers whose script may drop all before a backward begins: how many had by then."""
        self._before = BeforeBackward(guard, self._backward_begins)
        self._before.start()
        self._hooks: dict[int, Handles] = {}
        self._looks: dict[int, int] = {}
        self._kept: dict[int, _Kept] = {}
        """By optimizer: what was found of the latest step that was looked at."""

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of each optimizer that applies old gradients again."""
        for k, kept in self._kept.items():
            if kept.steps < CONFIRMED:
                continue
            first, whole = kept.indexes[0], kept.whole
            name = self._table.name(first)
            names = "Gradients are" if whole else f"The gradient of `{name}` is"
            if not whole and len(kept.indexes) > 1:
                names = f"The gradients of {len(kept.indexes)} parameters, `{name}` first, are"
            place = self._places.of(k)
            found = NotCleared.found(names, type(self._optimizers[k]).__name__, place)
            index, subject = (None, None) if whole else (first, name)
            yield alert_of(found, index, subject, kept.since_step)

    @property
    def rests(self) -> bool:
        """Whether no gradient is looked at before the next sample."""
        return not (self.watched or any(each.steps < CONFIRMED for each in self._kept.values()))

    def before_step(self, k: int, step: int) -> None:
        """Judge what became of the gradients that the step before of optimizer k had left."""
        watched = self.watched.pop(k, None)
        if watched is None:
            return
        begun = self._waiting.pop(k, None)
        if not any(each.hooked for each in watched.values()):
            if begun == self._before.count:
                self._before.missed |= bool(watched)
            elif not self._before.elsewhere:  # all had gone before each backward
                self._kept.pop(k, None)
            return
        self._hooks[k].remove()
        if not any(each.arrived for each in watched.values()):
            return
        kept = [index for index, each in watched.items() if each.kept]
        if not kept:
            self._kept.pop(k, None)
            return
        before = self._kept.get(k, _Kept(0, step, [], whole=False))
        arrived = sum(bool(each.arrived) for each in watched.values())
        whole = len(kept) == arrived
        self._kept[k] = _Kept(before.steps + 1, before.since_step, kept, whole)

    def after_step(self, k: int, *, sampled: bool) -> None:
        """Watch what the step of optimizer k, which is over, leaves behind."""
        if not self._is_due(k, sampled=sampled):
            return
        watched = {}
        for index in self._held_by(k):
            parameter = self._table.parameters[index]
            grad = parameter.grad
            if type(grad) is Tensor and parameter.requires_grad and not grad.is_sparse:
                watched[index] = _Watched(parameter, weakref.ref(grad), version(grad), self._guard)
        self.watched[k] = watched
        if self._before.count and self._before.sees_all:
            self._waiting[k] = self._before.count
            self._before.start()
        else:
            self._hook(k)

    def remove(self) -> None:
        """Remove every hook."""
        for hooks in self._hooks.values():
            hooks.remove()
        self._before.stop()
        self._waiting.clear()
        self.watched.clear()

    def _backward_begins(self) -> None:
        # Inside that of the step itself hooks are not to change.
        if inside_backward() or self._before.elsewhere:
            return
        for k in list(self._waiting):
            # Else they are dropped, or the script has put them aside, or switched all off.
            if any(each.hooked or each.left for each in self.watched[k].values()):
                self._hook(k)
        if not self._waiting:
            self._before.stop()

    def _hook(self, k: int) -> None:
        """Have hooks tell what becomes of what the step of optimizer k has left."""
        hooks = self._hooks.setdefault(k, Handles())
        watched = self.watched[k].values()
        with whole([hooks.remove]):
            for each in watched:
                # One that is switched off cannot be given a hook, and has nothing to tell by then.
                if each.hooked or not each.parameter.requires_grad:
                    continue
                each.hooked = True
                hooks.add(each.parameter.register_hook, GuardedHook(self._guard, each.arrive))
                hooks.add(
                    each.parameter.register_post_accumulate_grad_hook,
                    GuardedHook(self._guard, each.add),
                )
        if all(each.hooked for each in watched):
            self._waiting.pop(k, None)

    def _is_due(self, k: int, *, sampled: bool) -> bool:
        """Return whether to look at the coming step: more and more seldom, but to be sure."""
        kept = self._kept.get(k)
        if kept is not None and kept.steps < CONFIRMED:
            return True
        if not sampled:
            return False
        self._looks[k] = looks = self._looks.get(k, 0) + 1
        return looks & (looks - 1) == 0
