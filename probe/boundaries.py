"""Step boundaries from the optimizers' own hooks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle


class Boundaries:
    """Calls back before and after each optimizer's step, and once per step of the run.

    With one optimizer a step of the run is a step of it. With several, a step is a round
    in which each steps at most once: it ends when all have stepped, or just before one
    steps again (a GAN whose discriminator steps five times per step of its generator has
    five steps).

    A step that a ``GradScaler`` skips because of an overflow calls no hook of a non-fused
    optimizer (https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step). It
    shows itself when ``zero_grad`` throws gradients away that no step has used, so that
    method is wrapped on the instance, as learning-rate schedulers wrap ``step``.
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        *,
        measure: Callable[[int], None],
        before: Callable[[], None],
        boundary: Callable[[], None],
        discarded: Callable[[int], None],
        watch: Callable[[Callable[[], None]], None],
    ) -> None:
        """``measure(k)``: the gradients of optimizer k are final, and it is about to apply them.

        ``discarded(k)``: they are about to be dropped, and it has not applied them.
        ``watch(f)`` runs f guarded.
        """
        self._optimizers = list(optimizers)
        self._measure = measure
        self._before = before
        self._boundary = boundary
        self._discarded = discarded
        self._watch = watch
        self._stepped: set[int] = set()
        self._unused: set[int] = set(range(len(self._optimizers)))
        self._wrappers: list[Any] = []
        self._handles: list[RemovableHandle] = []
        for k, optimizer in enumerate(self._optimizers):
            self._handles += [
                optimizer.register_step_pre_hook(self._pre_hook(k)),
                optimizer.register_step_post_hook(self._post_hook(k)),
            ]
            self._wrappers.append(self._wrap_zero_grad(k, optimizer))

    def remove(self) -> None:
        """Remove every hook and wrapper."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for optimizer, wrapper in zip(self._optimizers, self._wrappers, strict=True):
            # Where somebody has wrapped it again since, ours stays below and does nothing.
            if optimizer.__dict__.get("zero_grad") is wrapper:
                del optimizer.__dict__["zero_grad"]
        self._wrappers.clear()
        self._optimizers.clear()

    def _pre_hook(self, k: int) -> Callable[..., None]:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._watch(lambda: self._begin(k, _has_closure(args, kwargs)))

        return hook

    def _post_hook(self, k: int) -> Callable[..., None]:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._watch(lambda: self._end(k, _has_closure(args, kwargs)))

        return hook

    def _wrap_zero_grad(self, k: int, optimizer: Optimizer) -> Any:
        original = optimizer.zero_grad

        @functools.wraps(original)
        def zero_grad(*args: Any, **kwargs: Any) -> None:
            if self._optimizers:
                self._watch(lambda: self._drop(k))
            original(*args, **kwargs)

        optimizer.__dict__["zero_grad"] = zero_grad
        return zero_grad

    def _drop(self, k: int) -> None:
        if k in self._unused:
            self._discarded(k)
        self._unused.add(k)

    def _begin(self, k: int, closure: bool) -> None:
        if k in self._stepped:
            self._close()
        self._before()
        if not closure:
            self._measure(k)

    def _end(self, k: int, closure: bool) -> None:
        # A closure computes its gradients inside the step: they are there only now.
        if closure:
            self._measure(k)
        self._unused.discard(k)
        self._stepped.add(k)
        if len(self._stepped) == len(self._optimizers):
            self._close()

    def _close(self) -> None:
        self._stepped.clear()
        self._boundary()


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether ``step`` was given a closure; a hook's ``args`` start with the optimizer itself."""
    return callable(kwargs.get("closure")) or any(callable(value) for value in args[1:])
