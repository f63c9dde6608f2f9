"""What is to be merged next in a run, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .sizes import BLOCK_SAMPLES, EXACT_SAMPLES, GATHERED_SAMPLES


@dataclass(frozen=True, slots=True)
class Extent:
    """The samples of a span: the number of the first, and how many."""

    first: int
    samples: int

    @property
    def end(self) -> int:
        """Return the number behind the last sample."""
        return self.first + self.samples


def next_block(raw: Extent) -> Extent | None:
    """Return the samples that become a block, of those at level 0.

    That are the oldest, up to a multiple of `BLOCK_SAMPLES`, when enough are newer.
    """
    block = Extent(raw.first, BLOCK_SAMPLES - raw.first % BLOCK_SAMPLES)
    return block if raw.end >= block.end + EXACT_SAMPLES else None


def next_gathering(raw: Sequence[Extent]) -> Sequence[Extent]:
    """Return the oldest neighbours of `raw` that are to become one span; empty for none."""
    for small, size in GATHERED_SAMPLES:
        group = _neighbours(raw, small, size)
        if group:
            return group
    return []


def _neighbours(raw: Sequence[Extent], small: int, size: int) -> Sequence[Extent]:
    """Return the first small spans that together reach a size, or end before one that is larger."""
    group: list[Extent] = []
    for extent in raw:
        if extent.samples >= small:
            if len(group) > 1:
                return group
            group = []
            continue
        group.append(extent)
        if extent.end - group[0].first >= size:
            return group
    return []


def next_tile(below: Sequence[Extent], size: int) -> Extent | None:
    """Return the oldest tile of `size` samples that neighbours of the level below fill."""
    start, reached = -1, -1
    for extent in below:
        if extent.first != reached:
            start = -1
        if extent.first % size == 0:
            start = extent.first
        reached = extent.end
        if start >= 0 and reached - start == size:
            return Extent(start, size)
    return None
