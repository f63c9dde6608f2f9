"""What a sample must say, found without Gradgate: by torch's own hooks and by definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from .row import Job


@dataclass(frozen=True)
class Figure:
    """The state and the L2 norm (float64; NaN without a gradient) of one gradient."""

    state: str
    norm: float
    numel: int


@dataclass
class Reference:
    """One step: every parameter's gradient as an optimizer was about to apply it."""

    figures: dict[str, Figure]
    """By the names at the end of the run: a script may move a parameter to another module."""
    skipped: bool
    applied: frozenset[str]
    """The names of the parameters that an optimizer has applied the gradients of."""

    @property
    def looked_at(self) -> bool:
        """Whether there was a gradient to apply."""
        return any(self.figures[name].state not in ("absent", "frozen") for name in self.applied)

    @property
    def total(self) -> float:
        """The L2 norm of all gradients that were applied together; NaN where there was none."""
        norms = [self.figures[name].norm for name in self.applied]
        there = [norm for norm in norms if not math.isnan(norm)]
        broken = any(self.figures[name].state == "nonfinite" for name in self.applied)
        return math.nan if broken or not there else math.hypot(*there)


class Recorder:
    """Clones the gradients of a job at the moment when an optimizer applies them.

    That moment is the optimizer's step or, with a ``GradScaler``, the scaler's, whose
    scale is then taken out; with a closure, which makes gradients within the step, its end.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._written: set[nn.Parameter] = set()
        self._hooked: set[nn.Parameter] = set()
        self._spent: dict[nn.Parameter, Tensor | None] = {}
        """The gradients that a step has used."""
        self._names: dict[nn.Parameter, str] = {}
        self._figures: dict[nn.Parameter, Figure] = {}
        self._applied: set[nn.Parameter] = set()
        self._skipped = False
        self._steps: list[tuple[dict[nn.Parameter, Figure], bool, set[nn.Parameter]]] = []
        self._hook()
        if job.scaler is not None:
            self._tap_scaler(job.scaler)
            return
        for optimizer in job.optimizers:
            before, after = optimizer.register_step_pre_hook, optimizer.register_step_post_hook
            (after if job.closure else before)(lambda o, args, kwargs: self._apply(o))
            after(lambda o, args, kwargs: self._spend(o))

    def end_step(self) -> None:
        """Complete a step by the parameters that no optimizer has applied in it."""
        for name, parameter in self._job.parameters().items():
            self._names[parameter] = name
            if parameter not in self._figures:
                self._figures[parameter] = self._figure(parameter)
        self._steps.append((self._figures, self._skipped, self._applied))
        self._figures, self._skipped, self._applied = {}, False, set()
        self._hook()

    def references(self) -> list[Reference]:
        """Every step so far."""
        return [
            Reference(
                {self._names[p]: figure for p, figure in figures.items()},
                skipped,
                frozenset(self._names[p] for p in applied),
            )
            for figures, skipped, applied in self._steps
        ]

    def _hook(self) -> None:
        """Note every write of a backward to a gradient, of the parameters that are there now."""
        for parameter in set(self._job.parameters().values()) - self._hooked:
            self._hooked.add(parameter)
            # Only what is trainable can be hooked; a hook stays when it is frozen.
            trainable = parameter.requires_grad
            parameter.requires_grad_(True)
            parameter.register_hook(lambda grad, p=parameter: self._written.add(p))
            parameter.requires_grad_(trainable)

    def _apply(self, optimizer: Optimizer, scale: float = 1.0) -> None:
        held = {p for group in optimizer.param_groups for p in group["params"]}
        for parameter in self._job.parameters().values():
            if parameter in held:
                self._figures[parameter] = self._figure(parameter, scale)
                self._applied.add(parameter)

    def _spend(self, optimizer: Optimizer) -> None:
        for group in optimizer.param_groups:
            self._written.difference_update(group["params"])
            self._spent |= {parameter: parameter.grad for parameter in group["params"]}

    def _figure(self, parameter: nn.Parameter, scale: float = 1.0) -> Figure:
        grad = parameter.grad
        if not parameter.requires_grad:
            return Figure("frozen", math.nan, parameter.numel())
        if grad is None:
            return Figure("absent", math.nan, parameter.numel())
        dense = _wide(_dense(grad)) / scale
        # fully_shard puts gradients in place itself: no backward ever comes to a shard.
        written = parameter in self._written or grad is not self._spent.get(parameter)
        return Figure(_state(dense, written), float(dense.norm()), dense.numel())

    def _tap_scaler(self, scaler: torch.amp.GradScaler) -> None:
        step, unscale = scaler.step, scaler.unscale_
        unscaled: set[int] = set()

        def tapped_unscale(optimizer: Optimizer) -> None:
            unscale(optimizer)
            unscaled.add(id(optimizer))

        def tapped_step(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            self._apply(optimizer, 1.0 if id(optimizer) in unscaled else scaler.get_scale())
            self._skipped |= any(f.state == "nonfinite" for f in self._figures.values())
            result = step(optimizer, *args, **kwargs)
            # Without a call of the script's, the step itself unscales.
            unscaled.discard(id(optimizer))
            self._spend(optimizer)
            return result

        scaler.unscale_ = tapped_unscale  # type: ignore[method-assign]
        scaler.step = tapped_step  # type: ignore[method-assign]


def local(tensor: Tensor) -> Tensor:
    """Of a sharded tensor this rank's own part."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _dense(grad: Tensor) -> Tensor:
    own = local(grad)
    return (own.coalesce().to_dense() if own.is_sparse else own).detach().clone()


def _state(grad: Tensor, written: bool) -> str:
    if not written:
        return "stale"
    if not bool(grad.isfinite().all()):
        return "nonfinite"
    return "present" if bool(grad.any()) else "zero"


def _wide(dense: Tensor) -> Tensor:
    return dense.to(torch.complex128 if dense.is_complex() else torch.float64)
