"""Step boundaries from the optimizers' own hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Protocol

from torch.optim import Optimizer

from ..base.guard import Guard, GuardedHook, stood_around
from ..base.undo import Handles, whole
from ..model.inner_optimizers import family
from ..torch_compat.autograd import inside_backward


class Stepping(Protocol):
    """Takes in the optimizers' steps; ``k`` numbers the optimizers."""

    def before_step(self, k: int) -> None:
        """Prepare for a step of optimizer k."""

    def measure(self, k: int) -> None:
        """Measure the gradients of optimizer k: they are those that it applies."""

    def stepped(self, k: int) -> None:
        """Look at what optimizer k has written; before ``boundary`` if this ends the round."""

    def after_step(self, k: int) -> None:
        """End the step of optimizer k; after ``boundary`` if this ended the round."""

    def boundary(self, *, late: bool) -> None:
        """End a step of the run; ``late``: noticed only after the next backward."""

    def discarded(self, k: int) -> bool:
        """Take in that gradients of k are dropped unused; return if that was a skipped step."""

    def cleared(self, k: int, *, dropped: bool) -> None:
        """Take in that ``zero_grad`` of optimizer k has run; ``dropped``: nothing is left."""


class Passing(Protocol):
    """Takes in, before ``Stepping`` does, what it need not hear of where it says True."""

    def begins(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Return whether nobody else looks at the step of optimizer k, nor has to prepare for it.

        ``args``, ``kwargs``: what the step was called with.
        """

    def passes(self, k: int) -> bool:
        """End such a step of optimizer k; return False where that is not all."""

    def clears(self, k: int, *, dropped: bool) -> bool:
        """Return whether nobody else has to hear that ``zero_grad`` of optimizer k has run.

        ``dropped``: it is known that no gradient is left.
        """


class Running(Protocol):
    """Calls the body of a hook, guarded and on the probe's account, with what it is given."""

    def run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        """Call it."""

    def run_unless(
        self, passed: Callable[..., bool], body: Callable[..., None], k: int, /, *args: Any
    ) -> None:
        """Call it for optimizer k, but where ``passed``, called first and so, says True."""

    def go_on_unless(
        self,
        passed: Callable[..., bool],
        body: Callable[..., None],
        k: int,
        /,
        *args: Any,
        **named: Any,
    ) -> None:
        """The same of one that follows another in a step."""


class Boundaries:
    """Calls back before and after each optimizer's step, and once per step of the run.

    With one optimizer a step of the run is a step of it. With several, a step is a round
    in which each steps at most once: it ends when all have stepped, or just before one
    steps again (a GAN whose discriminator steps five times per step of its generator has
    five steps). Where they step inside a backward, its end is the end of the round. An
    optimizer inside another (as in sharpness-aware minimization) is one with that: whichever
    of them is called, it is one step.

    A step that a ``GradScaler`` skips because of an overflow calls no hook of a non-fused
    optimizer (https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step). It
    shows itself when ``zero_grad`` throws gradients away that no step has used, so that
    method is wrapped on the instance, as learning-rate schedulers wrap ``step``. A script
    that clears gradients by the model's ``zero_grad`` does not show its skipped steps.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        stepping: Stepping,
        unseen: Passing,
        hooks: Running,
        guard: Guard,
        *,
        follow_ends: Callable[[], None] = lambda: None,
    ) -> None:
        """``follow_ends`` has every backward call :meth:`backward_ended` from then on."""
        self._guard = guard
        self._optimizers = list(optimizers)
        self._to = stepping
        self._unseen = unseen
        self._run, self._run_unless = hooks.run, hooks.run_unless
        self._go_on_unless = hooks.go_on_unless
        self._follow_ends = follow_ends
        self._stepped: set[int] = set()
        self._unused: set[int] = set(range(len(self._optimizers)))
        self._open: dict[int, int] = {}
        """How many calls of step() are under way, by optimizer: a subclass's may call its base's,
        and torch calls the hooks for each."""
        self._inside_backward = False
        """Steps are made inside a backward, as a hook on each parameter may do."""
        self._backwards_are_steps = False
        """Gradients are applied inside each backward, and no step was seen."""
        self._closed_inside = False
        """The backward under way has ended a round already."""
        self._wrappers: list[tuple[Optimizer, Any]] = []
        self._hooks = Handles()
        self._families = [family(optimizer, optimizers) for optimizer in optimizers]
        with whole([self.remove]):
            for k, members in enumerate(self._families):
                for optimizer in members:
                    self._hooks.add(optimizer.register_step_pre_hook, self._pre_hook(k))
                    self._hooks.add(optimizer.register_step_post_hook, self._post_hook(k))
                    self._wrap_zero_grad(k, optimizer)

    def remove(self) -> None:
        """Remove every hook and wrapper."""
        self._hooks.remove()
        for optimizer, wrapper in self._wrappers:
            # Where somebody has wrapped it again since, ours stays below and does nothing.
            if optimizer.__dict__.get("zero_grad") is wrapper:
                del optimizer.__dict__["zero_grad"]
        self._wrappers.clear()
        self._optimizers.clear()
        self._families.clear()

    def _pre_hook(self, k: int) -> GuardedHook:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self._open.get(k):
                # Nested, or an earlier step raised and never came to its end: the stack knows.
                self._open[k] = _calls_under_way(self._families[k]) - 1
            self._open[k] = self._open.get(k, 0) + 1
            if self._open[k] == 1:
                self._run_unless(self._unseen.begins, self._begin, k, args, kwargs)

        return GuardedHook(self._guard, hook)

    def _post_hook(self, k: int) -> GuardedHook:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            # Where a fault kept the other hook from counting, the step has ended all the same.
            self._open[k] = max(self._open.get(k, 1) - 1, 0)
            if self._open[k] == 0:
                self._go_on_unless(self._passes, self._end, k, args, kwargs)

        return GuardedHook(self._guard, hook)

    def _wrap_zero_grad(self, k: int, optimizer: Optimizer) -> None:
        original = optimizer.zero_grad
        drops = getattr(original, "__func__", None) is Optimizer.zero_grad

        def around(clear: Callable[..., None], *args: Any, **kwargs: Any) -> None:
            # A closure's own zero_grad comes inside the step, and drops nothing that counts.
            watched = self._optimizers and not self._open.get(k)
            if watched and k in self._unused:
                self._run(self._drop, k)
            clear(*args, **kwargs)
            if watched:
                dropped = drops and len(self._families[k]) == 1 and _set_to_none(*args, **kwargs)
                self._go_on_unless(self._clears_unseen, self._clear, k, dropped=dropped)

        zero_grad = stood_around(self._guard, original, around)
        self._wrappers.append((optimizer, zero_grad))
        optimizer.__dict__["zero_grad"] = zero_grad

    def _drop(self, k: int) -> None:
        if self._to.discarded(k):
            self._stepped.clear()

    def _clears_unseen(self, k: int, *, dropped: bool) -> bool:
        if not self._unseen.clears(k, dropped=dropped):
            return False
        self._unused.add(k)
        return True

    def _clear(self, k: int, *, dropped: bool) -> None:
        self._unused.add(k)
        self._to.cleared(k, dropped=dropped)

    def _begin(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if k in self._stepped:
            self._close(late=True)
        self._to.before_step(k)
        if not _has_closure(args, kwargs):
            self._to.measure(k)

    def step_with_backwards(self) -> None:
        """End a step with each backward, the present one included, until a step is seen.

        Where gradients are applied inside the backward, by hooks and not by an optimizer's step.
        """
        self._backwards_are_steps = True
        self._follow_ends()

    def backward_ended(self) -> None:
        """End the round with a backward that is over, where optimizers step inside it.

        So it also ends for those that did not step, since all that they hold is frozen.
        """
        ends = self._inside_backward or self._backwards_are_steps
        if ends and not self._closed_inside:
            self._run(self._close, late=False)
        self._closed_inside = False

    def _passes(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        if self._backwards_are_steps or not self._unseen.passes(k):
            return False
        self._unused.discard(k)
        return True

    def _end(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._backwards_are_steps = False
        if not self._inside_backward and inside_backward():
            self._inside_backward = True
            self._follow_ends()
        with self._guard:  # a fault in looking must not keep the step from being counted
            self._to.stepped(k)
        # A closure computes its gradients inside the step: they are there only now.
        if _has_closure(args, kwargs):
            self._to.measure(k)
        self._unused.discard(k)
        self._stepped.add(k)
        if len(self._stepped) == len(self._optimizers):
            self._close(late=False)
        self._to.after_step(k)

    def _close(self, *, late: bool) -> None:
        self._stepped.clear()
        self._closed_inside = inside_backward()
        self._to.boundary(late=late)


def _set_to_none(set_to_none: bool = True) -> bool:
    """Return whether torch's own ``zero_grad`` drops gradients, given these arguments."""
    return set_to_none


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether ``step`` was given a closure; ``args`` start with the optimizer itself."""
    return len(args) + len(kwargs) > 1 and any(map(callable, (*args[1:], kwargs.get("closure"))))


def _calls_under_way(optimizers: Sequence[Optimizer]) -> int:
    """Count how many of torch's wrappers around step() of one of these are on the stack."""
    frame: FrameType | None = sys._getframe()
    count = 0
    while frame is not None:
        if frame.f_code.co_name == "wrapper":
            stepping = frame.f_locals.get("self")
            count += any(stepping is optimizer for optimizer in optimizers)
        frame = frame.f_back
    return count
