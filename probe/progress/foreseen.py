"""What an optimizer's next step will do wrong to a parameter, as its groups stand."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from ..diagnosis.case import Finding
from ..diagnosis.update_causes import MovedWithoutGradient, NotMoving
from ..model.table import ParameterTable
from .close_look import gradient_of, remembers
from .learning_rates import SCHEDULED, rate_of
from .movers import mover


def foreseen(optimizers: Sequence[Optimizer], table: ParameterTable) -> dict[int, Finding]:
    """Find parameters that will not move, or will though they are frozen; by index, before a step.

    A rate of 0 that a schedule has set says nothing: it may rise with the next.
    """
    found = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rests = rate_of(group) == 0
            for index in table.indexes(group["params"]):
                finding = None
                parameter = table.parameters[index]
                if rests and not group.get(SCHEDULED) and parameter.requires_grad:
                    kind = type(optimizer).__name__
                    finding = NotMoving.learning_rate(table.name(index), kind, None)
                elif not (rests or parameter.requires_grad):
                    decay = float(group.get("weight_decay") or 0)
                    finding = _frozen(optimizer, parameter, table.name(index), decay)
                if finding is not None:
                    found[index] = finding
    return found


def _frozen(optimizer: Optimizer, parameter: Tensor, name: str, decay: float) -> Finding | None:
    """Say what will move a frozen parameter, if anything will."""
    gradient = gradient_of(parameter.grad)
    remembered = remembers(optimizer, parameter)
    if gradient == "none" or (gradient == "zeros" and not (decay or remembered)):
        return None
    what = mover(gradient, decay, remembers=remembered)
    return MovedWithoutGradient.frozen(name, type(optimizer).__name__, what, None)
