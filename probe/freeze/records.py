"""Remembers what commands froze, and what the script had before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from torch import nn

from ..base.undo import Restore
from ..model.freeze import Freeze
from ..model.table import ParameterTable
from ..torch_compat.tensors import set_requires_grad


class FreezeRecords:
    """The freezes that commands made, by parameter, and ``requires_grad`` from before them."""

    def __init__(self, table: ParameterTable) -> None:
        self._table = table
        self._before: dict[int, tuple[nn.Parameter, bool]] = {}
        """Each parameter that a command touched, and ``requires_grad`` before the first did."""
        self.freezes: dict[int, Freeze] = {}
        """Of each parameter that is frozen by command, by its index in the table."""

    @property
    def touched(self) -> bool:
        """Whether a command has touched a parameter, so that there may be something to restore."""
        return bool(self._before)

    def snapshot(self, indexes: Iterable[int]) -> Restore:
        """Return what puts back the records, and ``requires_grad`` and ``grad`` of parameters."""
        parameters = [self._table.parameters[index] for index in indexes]
        state = [(p, p.requires_grad, p.grad) for p in parameters]
        before, freezes = dict(self._before), dict(self.freezes)

        def restore() -> None:
            self._before, self.freezes = before, freezes
            for parameter, trainable, grad in state:
                if parameter.requires_grad != trainable:
                    set_requires_grad(parameter, trainable)
                parameter.grad = grad

        return restore

    def add(self, indexes: Sequence[int], freeze: Freeze) -> list[nn.Parameter]:
        """Freeze parameters; return those that were trainable.

        A frozen parameter has ``requires_grad=False`` **and** ``grad=None``: with a gradient of
        zeros, AdamW would still move it by its momentum and its weight decay.
        """
        flipped = self._flip(indexes, trainable=False)
        for index in indexes:
            self._table.parameters[index].grad = None
            self.freezes[index] = freeze
        return flipped

    def drop(self, indexes: Sequence[int]) -> list[nn.Parameter]:
        """Make parameters trainable; return those that were not."""
        flipped = self._flip(indexes, trainable=True)
        for index in indexes:
            self.freezes.pop(index, None)
        return flipped

    def untrained(self) -> list[int]:
        """Return what is frozen now and would require a gradient without a command."""
        return [
            index
            for index in self.freezes
            if self._before[index][1] and not self._table.parameters[index].requires_grad
        ]

    def undone(self) -> list[int]:
        """Return what the script has made trainable though it is frozen."""
        return [i for i in self.freezes if self._table.parameters[i].requires_grad]

    def forget(self, indexes: Iterable[int]) -> None:
        """Forget freezes that the script has undone."""
        for index in indexes:
            self.freezes.pop(index, None)

    def freeze_again(self, indexes: Iterable[int]) -> None:
        """Freeze what the script has undone, as it was."""
        for index in indexes:
            set_requires_grad(self._table.parameters[index], False)
            self._table.parameters[index].grad = None

    def set_own_flag(self, index: int, trainable: bool) -> None:
        """Note what the script now wants: it has that again when everything is restored."""
        self._before[index] = (self._table.parameters[index], trainable)

    def own_flag(self, index: int) -> bool:
        """Return what a touched parameter's ``requires_grad`` would be without a command."""
        return self._before[index][1]

    def fall_back_to_grad(self, indexes: Iterable[int]) -> None:
        """Record mode ``grad`` for parameters whose module cannot run without a graph."""
        for index in indexes:
            if index in self.freezes:
                self.freezes[index] = replace(self.freezes[index], mode="grad")

    def is_whole(self, module: nn.Module | None) -> bool:
        """Return whether every parameter below a module is still frozen in mode ``no_grad``."""
        if module is None:
            return False
        indexes = self._table.indexes(module.parameters())
        frozen = [self.freezes.get(index) for index in indexes]
        return bool(frozen) and all(f is not None and f.mode == "no_grad" for f in frozen)

    def clear_gradients(self, indexes: Iterable[int]) -> list[int]:
        """Drop the gradients of those among some parameters that are frozen by command.

        Returns what the script has made trainable, and leaves that as it is.
        """
        undone = []
        for index in indexes:
            if index not in self.freezes:
                continue
            parameter = self._table.parameters[index]
            if parameter.requires_grad:
                undone.append(index)
            elif parameter.grad is not None:
                parameter.grad = None
        return undone

    def count_trainable(self) -> int:
        """Return how many parameters are trained now."""
        return sum(parameter.requires_grad for parameter in self._table.parameters)

    def by_freeze(self) -> dict[Freeze, list[int]]:
        """Return what is frozen by command now: the parameters of each freeze, in order."""
        items: dict[Freeze, list[int]] = {}
        for index, freeze in sorted(self.freezes.items()):
            items.setdefault(freeze, []).append(index)
        return items

    def as_message(self) -> list[dict[str, Any]]:
        """Return what is frozen by command as the wire protocol has it: one item a command."""
        return [
            {**asdict(freeze), "parameters": indexes}
            for freeze, indexes in self.by_freeze().items()
        ]

    def restore(self) -> list[nn.Parameter]:
        """Give every touched parameter the ``requires_grad`` that it had; return the flipped."""
        flipped = []
        for index, (parameter, before) in self._before.items():
            # Where the script has set it anew since, the script's word stands.
            commanded = index not in self.freezes
            if parameter.requires_grad == commanded != before:
                set_requires_grad(parameter, before)
                flipped.append(parameter)
        self._before.clear()
        self.freezes.clear()
        return flipped

    def _flip(self, indexes: Iterable[int], *, trainable: bool) -> list[nn.Parameter]:
        flipped = []
        for index in indexes:
            parameter = self._table.parameters[index]
            self._before.setdefault(index, (parameter, parameter.requires_grad))
            if parameter.requires_grad != trainable:
                set_requires_grad(parameter, trainable)
                flipped.append(parameter)
        return flipped
