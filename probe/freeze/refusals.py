"""What cannot be frozen or thawed, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from ..base.errors import CommandError
from ..model.table import ParameterTable, is_uninitialized


class Refusals:
    """Says of a parameter whether flipping ``requires_grad`` on it would be safe."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
    ) -> None:
        self._models = models
        self._optimizers = optimizers
        self._table = table

    def check(self, indexes: Iterable[int]) -> None:
        """Raise :class:`CommandError` for the first parameter that cannot be steered."""
        current = {id(p) for model in self._models.values() for p in model.parameters()}
        held_by_lbfgs = {
            id(p)
            for optimizer in self._optimizers
            if isinstance(optimizer, LBFGS)
            for group in optimizer.param_groups
            for p in group["params"]
        }
        for index in indexes:
            parameter = self._table.parameters[index]
            problem = None
            if id(parameter) not in current:
                problem = (
                    "was replaced by another tensor or left the model, so freezing the old one "
                    "would do nothing; name the present one."
                )
            elif id(parameter) in held_by_lbfgs:
                problem = (
                    "is trained by LBFGS, which moves parameters along past directions even "
                    "without a gradient; it cannot be frozen here."
                )
            else:
                problem = unfit(parameter)
            if problem is not None:
                raise CommandError(f"{self._table.name(index)!r} {problem}")


def unfit(parameter: Tensor) -> str | None:
    """Why a tensor cannot be trained or frozen, or None."""
    if is_uninitialized(parameter):
        return "belongs to a lazy module that has not run yet; try again after the first forward."
    if parameter.layout is not torch.strided:
        return (
            f"has layout {parameter.layout}, and only dense parameters can be frozen; "
            "choose a target without it."
        )
    if not (parameter.is_floating_point() or parameter.is_complex()):
        return (
            f"has dtype {parameter.dtype}, and only floating-point parameters can be trained; "
            "choose a target without it."
        )
    return None
