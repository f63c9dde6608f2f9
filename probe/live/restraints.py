"""What is expected to stay as it is: weights, running statistics, and how much is trainable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from torch import nn

from ..base.guard import Guard
from ..base.targets import resolve
from ..model.movement import Movement
from ..model.sample import Sample
from ..model.table import ParameterTable
from .alerts import Alert
from .expected import Expected
from .still_statistics import StillStatistics
from .still_weights import StillWeights
from .trainable_share import TrainableShare, numbers


class Restraints:
    """Follows the samples, and tells what has changed that ought to stay; nobody has to wait."""

    def __init__(
        self,
        expected: Expected,
        table: ParameterTable,
        models: Mapping[str, nn.Module],
        guard: Guard,
    ) -> None:
        """Raise :class:`TargetError` for what names nothing, ValueError for a contradiction."""
        check(expected, table)
        self._guard = guard
        self._weights = StillWeights(expected.frozen, table)
        self._statistics = StillStatistics(expected.frozen_stats, models)
        self._share = None if expected.share is None else TrainableShare(expected.share, table)

    def receive(self, sample: Sample, frozen: Collection[int]) -> None:
        """Take in a sample; ``frozen``: by command."""
        with self._guard:
            self._weights.receive(sample.step)
        with self._guard:
            self._statistics.receive(sample.step)
        with self._guard:
            if self._share is not None:
                self._share.receive(sample, frozen)

    def receive_movement(self, movement: Movement) -> None:
        """Take in which weights have moved since they were looked at before."""
        self._weights.receive_movement(movement)

    def weights_loaded(self) -> None:
        """Take weights and statistics as they are now: the script has loaded others."""
        self._weights.forget_bits()
        self._statistics.forget_bits()

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of all that has changed; a single time is enough, for it is exact."""
        yield from self._weights.find()
        yield from self._statistics.find()
        if self._share is not None:
            yield from self._share.find()


def check(expected: Expected, table: ParameterTable) -> None:
    """Raise ValueError where expectations contradict each other."""
    trains, frozen = (
        {index: pattern for pattern in patterns for index in resolve(pattern, table.names)}
        for patterns in (expected.trains, expected.frozen)
    )
    for index in sorted(trains.keys() & frozen.keys()):
        raise ValueError(
            f"`{table.name(index)}` is expected to train (trains={trains[index]!r}) and to stay "
            f"frozen (frozen={frozen[index]!r}): name it in one of them only."
        )
    if expected.share is None:
        return
    sizes = numbers(table)
    total = int(sizes.sum()) or 1
    least, most = expected.share
    floor = int(sizes[list(trains)].sum()) / total
    ceiling = 1 - int(sizes[list(frozen)].sum()) / total
    if floor > most or ceiling < least:
        what = "trains" if floor > most else "frozen"
        found = f"at least {floor:.4%}" if floor > most else f"at most {ceiling:.4%}"
        raise ValueError(
            f"share={expected.share!r} and {what}={list(getattr(expected, what))!r} contradict "
            f"each other: by the latter {found} of the numbers are trainable."
        )
