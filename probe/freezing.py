"""Freezes and thaws parameters: ``requires_grad`` and ``grad``, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import LBFGS, Optimizer

from .anchor import Anchor
from .errors import CommandError
from .guard import Guard
from .parameters import ParameterTable, is_uninitialized


@dataclass(frozen=True)
class Freeze:
    """Who froze a parameter, and when."""

    by: str
    mode: str
    since_step: int
    command: int | None
    """The server's number of the command, None for one made in Python."""


class Freezer:
    """Holds the freezes that commands made; the optimizer and its state are not touched.

    A frozen parameter has ``requires_grad=False`` **and** ``grad=None``: with a gradient of
    zeros, AdamW would still move it by its momentum and its weight decay.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        guard: Guard,
    ) -> None:
        self._models = models
        self._optimizers = optimizers
        self._table = table
        self._anchor = Anchor(models, guard)
        self._found: dict[int, bool] = {}
        """``requires_grad`` as it was before the first command touched the parameter."""
        self.freezes: dict[int, Freeze] = {}

    def freeze(self, indexes: Iterable[int], freeze: Freeze) -> None:
        """Freeze parameters: an absolute state, so freezing twice is freezing once."""
        for index in indexes:
            parameter = self._table.parameters[index]
            self._found.setdefault(index, parameter.requires_grad)
            parameter.requires_grad_(False)
            parameter.grad = None
            self.freezes[index] = freeze
        self._cover()

    def thaw(self, indexes: Iterable[int]) -> None:
        """Make parameters trainable again, with the optimizer state that they had."""
        for index in indexes:
            parameter = self._table.parameters[index]
            self._found.setdefault(index, parameter.requires_grad)
            parameter.requires_grad_(True)
            self.freezes.pop(index, None)
        self._cover()

    def check(self, indexes: Iterable[int]) -> None:
        """Raise :class:`CommandError` when freezing or thawing would not be safe."""
        if _is_distributed(self._models):
            raise CommandError(
                "this job is distributed, and flipping requires_grad under "
                "DistributedDataParallel or FSDP crashes it or lets the ranks drift apart; "
                "this version steers single-process jobs only."
            )
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
            if id(parameter) not in current:
                raise CommandError(
                    f"{self._table.name(index)!r} was replaced by another tensor since attach(), "
                    "so freezing the old one would do nothing; detach and attach again."
                )
            if id(parameter) in held_by_lbfgs:
                raise CommandError(
                    f"{self._table.name(index)!r} is trained by LBFGS, which moves parameters "
                    "along past directions even without a gradient; it cannot be frozen here."
                )
            if is_uninitialized(parameter):
                raise CommandError(
                    f"{self._table.name(index)!r} belongs to a lazy module that has not run yet; "
                    "try again after the first forward."
                )
            if parameter.layout is not torch.strided:
                raise CommandError(
                    f"{self._table.name(index)!r} has layout {parameter.layout}, and only dense "
                    "parameters can be frozen; choose a target without it."
                )
            if not (parameter.is_floating_point() or parameter.is_complex()):
                raise CommandError(
                    f"{self._table.name(index)!r} has dtype {parameter.dtype}, and only "
                    "floating-point parameters can be trained; choose a target without it."
                )

    def clear_gradients(self) -> None:
        """Drop gradients that the script itself gave to frozen parameters (``p.grad = ...``).

        A backward writes none, not even through a graph from before the freeze.
        """
        for index in self.freezes:
            parameter = self._table.parameters[index]
            if parameter.grad is not None and not parameter.requires_grad:
                parameter.grad = None

    def boundary(self) -> bool:
        """Forget freezes that the script undid by itself; return whether there were any."""
        self._anchor.reset()
        undone = [i for i in self.freezes if self._table.parameters[i].requires_grad]
        for index in undone:
            del self.freezes[index]
        return bool(undone)

    def as_message(self) -> list[dict[str, Any]]:
        """What is frozen by command, as the wire protocol has it: one item a command."""
        items: dict[Freeze, list[int]] = {}
        for index, freeze in sorted(self.freezes.items()):
            items.setdefault(freeze, []).append(index)
        return [{**asdict(freeze), "parameters": indexes} for freeze, indexes in items.items()]

    def restore(self) -> None:
        """Give every parameter that a command touched the ``requires_grad`` it had before."""
        for index, found in self._found.items():
            parameter = self._table.parameters[index]
            # Where the script has set it anew since, the script's word stands.
            commanded = index not in self.freezes
            if parameter.requires_grad == commanded:
                parameter.requires_grad_(found)
        self._found.clear()
        self.freezes.clear()
        self._anchor.remove()

    def _cover(self) -> None:
        self._anchor.cover(self._table.parameters[index] for index in self.freezes)


def _is_distributed(models: Mapping[str, nn.Module]) -> bool:
    if not torch.distributed.is_available():
        return False
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        return True
    wrapper = nn.parallel.DistributedDataParallel
    return any(
        isinstance(module, wrapper) for model in models.values() for module in model.modules()
    )
