"""Step boundaries from the optimizers' own hooks."""

from __future__ import annotations

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
    """

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        *,
        measure: Callable[[int], None],
        before: Callable[[], None],
        boundary: Callable[[], None],
        watch: Callable[[Callable[[], None]], None],
    ) -> None:
        """``measure(k)``: the gradients of optimizer k are final. ``watch(f)`` runs f guarded."""
        self._optimizers = list(optimizers)
        self._measure = measure
        self._before = before
        self._boundary = boundary
        self._watch = watch
        self._stepped: set[int] = set()
        self._handles: list[RemovableHandle] = []
        for k, optimizer in enumerate(self._optimizers):
            self._handles += [
                optimizer.register_step_pre_hook(self._pre_hook(k)),
                optimizer.register_step_post_hook(self._post_hook(k)),
            ]

    def remove(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _pre_hook(self, k: int) -> Callable[..., None]:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._watch(lambda: self._begin(k, _has_closure(args, kwargs)))

        return hook

    def _post_hook(self, k: int) -> Callable[..., None]:
        def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._watch(lambda: self._end(k, _has_closure(args, kwargs)))

        return hook

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
        self._stepped.add(k)
        if len(self._stepped) == len(self._optimizers):
            self._close()

    def _close(self) -> None:
        self._stepped.clear()
        self._boundary()


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether ``step`` was given a closure; a hook's ``args`` start with the optimizer itself."""
    return callable(kwargs.get("closure")) or any(callable(value) for value in args[1:])
