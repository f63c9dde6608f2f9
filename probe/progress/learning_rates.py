"""The learning rate of each group of parameters, and since when it is 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..base.source import Place
from ..torch_compat.heap import living

SCHEDULED = "initial_lr"
"""What every schedule of torch's leaves in the groups that it sets."""


@dataclass(frozen=True)
class Schedule:
    """What sets the learning rate of a group."""

    name: str
    place: Place | None
    """Where its formula is written, if the script wrote one."""


@dataclass
class ZeroRate:
    """A group that trains nothing, since its learning rate is 0."""

    optimizer: str
    """Its type."""
    since_step: int
    """Of the first sample that saw it."""
    was_positive: bool
    """It was above 0 in an earlier sample."""
    schedule: Schedule | None
    """None where the script itself set the rate."""


class LearningRates:
    """Reads the groups of each optimizer at samples; ``k`` numbers the optimizers."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers
        self._positive: set[tuple[int, int]] = set()
        self._zero: dict[tuple[int, int], ZeroRate] = {}

    def read(self, k: int, step: int) -> None:
        """Read the rates that ``step`` of optimizer k applies."""
        for g, group in enumerate(self._optimizers[k].param_groups):
            rate = rate_of(group)
            if rate == 0 and (k, g) not in self._zero:
                self._zero[k, g] = self._found(k, g, step)
            elif rate:
                self._positive.add((k, g))
                self._zero.pop((k, g), None)

    @property
    def all_zero(self) -> bool:
        """Return whether no group of any optimizer has a rate above 0."""
        return len(self._zero) == sum(len(each.param_groups) for each in self._optimizers)

    def zero(self, key: tuple[int, int]) -> ZeroRate | None:
        """Return what is known of the rate of a group, if that is 0."""
        return self._zero.get(key)

    def _found(self, k: int, g: int, step: int) -> ZeroRate:
        optimizer = self._optimizers[k]
        scheduled = bool(optimizer.param_groups[g].get(SCHEDULED, 0))
        schedule = _schedule(optimizer, g) if scheduled else None
        return ZeroRate(type(optimizer).__name__, step, (k, g) in self._positive, schedule)


def _schedule(optimizer: Optimizer, g: int) -> Schedule:
    """Find what sets the rate of group g; it looks at the whole heap, so it is asked seldom."""
    schedules = [each for each in living(LRScheduler) if each.optimizer is optimizer]
    for each in schedules:
        place = _formula(each, g)
        if place is not None:
            return Schedule(type(each).__name__, place)
    return Schedule(type(schedules[-1]).__name__ if schedules else "a schedule", None)


def rate_of(group: dict[str, Any]) -> float | None:
    """Return the learning rate of a group; None where there is none, or on a device."""
    rate = group.get("lr")
    if isinstance(rate, Tensor):
        return float(rate) if rate.device.type == "cpu" else None
    return rate if isinstance(rate, (int, float)) else None


def _formula(schedule: LRScheduler, g: int) -> Place | None:
    """Return where the function is written that a ``LambdaLR`` or its kin computes the rate by."""
    functions = getattr(schedule, "lr_lambdas", [])
    function = functions[g] if g < len(functions) else None
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    place = Place(code.co_filename, code.co_firstlineno, code.co_name)
    return None if place.in_library else place
