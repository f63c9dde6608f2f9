"""The optimizer's memory of a parameter, made as if it were new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor
from torch.optim import Adagrad, Optimizer

from ..base.errors import CommandError
from ..base.undo import Restore


class OptimizerState:
    """Drops what optimizers keep of single parameters (momentum, second moments, step counts).

    Most optimizers make a parameter's state at its first step, so dropping it resets it.
    Adagrad makes it when it is built; there it is filled as its constructor does
    (https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html).
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers
        self._lazy = {id(o) for o in optimizers if not o.state or _is_torchs(o)}
        """Optimizers known to make a parameter's state when they first need it."""

    def check(self, parameters: Iterable[Tensor]) -> None:
        """Raise :class:`CommandError` when a state cannot be made as new."""
        wanted = set(parameters)
        for optimizer in self._optimizers:
            if id(optimizer) not in self._lazy and any(p in wanted for p in optimizer.state):
                raise CommandError(
                    f"{type(optimizer).__name__} may have made its state when it was built, so "
                    "dropping it could break its next step; thaw without reset_state."
                )

    def snapshot(self, parameters: Iterable[Tensor]) -> Restore:
        """Return what puts back the state of these parameters."""
        kept = [
            (optimizer, parameter, dict(optimizer.state[parameter]))
            for parameter in parameters
            for optimizer in self._optimizers
            if parameter in optimizer.state
        ]
        filled = [
            (value, value.clone())
            for optimizer, _, state in kept
            if isinstance(optimizer, Adagrad)
            for value in state.values()
        ]

        def restore() -> None:
            for optimizer, parameter, state in kept:
                optimizer.state[parameter] = state
            for value, before in filled:
                value.copy_(before)

        return restore

    def reset(self, parameters: Iterable[Tensor]) -> None:
        """Make the state of these parameters as new."""
        for parameter in parameters:
            for optimizer in self._optimizers:
                if isinstance(optimizer, Adagrad):
                    _refill(optimizer, parameter)
                else:
                    optimizer.state.pop(parameter, None)


def _is_torchs(optimizer: Optimizer) -> bool:
    return type(optimizer).__module__.startswith("torch.optim.")


def _refill(optimizer: Adagrad, parameter: Tensor) -> None:
    state = optimizer.state.get(parameter)
    if state:
        state["step"].zero_()
        value = optimizer.defaults["initial_accumulator_value"]
        state["sum"].fill_(complex(value, value) if parameter.is_complex() else value)
