"""Parameters that are expected to stay frozen: which of them has changed in a bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..base.targets import resolve
from ..measure.checksums import checksums
from ..measure.local_part import local_part, unreadable
from ..model.movement import Movement
from ..model.table import ParameterTable
from ..torch_compat.versions import version
from .alerts import Alert


@dataclass(frozen=True)
class _Seen:
    """A weight as it was when it was looked at."""

    version: int
    bits: int


class StillWeights:
    """Compares weights with how they were when the run was attached, or weights were loaded.

    With each sample PyTorch's counts of writes are read; the bits of those that were written to
    tell whether anything changed. What is not counted, a write through ``.data``, shows itself
    when the movement of weights is measured.
    """

    def __init__(self, patterns: Sequence[str], table: ParameterTable) -> None:
        """Raise :class:`TargetError` for a pattern that names nothing."""
        self._patterns = patterns
        self._table = table
        self._count = len(table)
        self._moved: dict[int, int] = {}
        """The step after which each was first seen to have moved."""
        self._seen: dict[int, _Seen] = {}
        self._look({index for pattern in patterns for index in resolve(pattern, table.names)})

    def receive(self, step: int) -> None:
        """Look whether something has changed by the end of ``step``, of which a sample came."""
        if len(self._table) > self._count:
            every = {i for pattern in self._patterns for i in resolve(pattern, self._table.names)}
            self._look(index for index in every if index >= self._count)
            self._count = len(self._table)
        parameters = self._table.parameters
        written = [i for i, seen in self._seen.items() if _version(parameters[i]) != seen.version]
        for index in self._look(written):
            self._moved.setdefault(index, step)

    def receive_movement(self, movement: Movement) -> None:
        """Take in which weights have moved since they were looked at before."""
        moved = [i for i in self._seen if i < len(movement.moved) and movement.moved[i]]
        for index in self._look(moved):  # others may have been loaded in between
            self._moved.setdefault(index, movement.step)

    def forget_bits(self) -> None:
        """Take the weights as they are now: the script has loaded others."""
        self._look(list(self._seen))

    def find(self) -> Iterator[Alert]:
        """Tell of each that has moved."""
        for index, step in self._moved.items():
            if index in self._table.removed:
                continue
            name = self._table.name(index)
            yield Alert(
                index,
                name,
                step,
                state="moved",
                cause="not_frozen",
                detail=f"`{name}` is expected to stay frozen, and its weights have changed by the "
                f"end of step {step}: {self._reason(index)}.",
            )

    def _reason(self, index: int) -> str:
        if self._table.parameters[index].requires_grad:
            return (
                "it requires a gradient, so it trains; set requires_grad_(False) on it before the "
                "optimizer is made"
            )
        return (
            "its requires_grad is False, so something writes to it all the same: an optimizer that "
            "holds it, by momentum or weight decay over a gradient that was left, an average, or a "
            "loader; take it out of the optimizer, or set its gradient to None"
        )

    def _look(self, indexes: Iterable[int]) -> list[int]:
        """Keep the bits of these as they are now; return those that were others before."""
        removed, parameters = self._table.removed, self._table.parameters
        readable = [
            i for i in sorted(indexes) if i not in removed and unreadable(parameters[i]) is None
        ]
        bits = checksums([local_part(parameters[i].detach()) for i in readable])
        changed = []
        for index, now in zip(readable, bits, strict=True):
            before = self._seen.get(index)
            self._seen[index] = _Seen(_version(parameters[index]), now)
            if before is not None and before.bits != now:
                changed.append(index)
        return changed


def _version(parameter: Tensor) -> int:
    return 0 if parameter.is_inference() else version(parameter)
