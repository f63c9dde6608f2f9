"""What is merged next, of spans of any sizes."""

from __future__ import annotations

import pytest

from gradgate.server.store.levels.plan import Extent, next_block, next_gathering, next_tile


def extents(*sizes: int, first: int = 0) -> list[Extent]:
    """Spans that follow each other."""
    found = []
    for size in sizes:
        found.append(Extent(first, size))
        first += size
    return found


@pytest.mark.parametrize(
    ("raw", "block"),
    [
        (Extent(0, 1279), None),
        (Extent(0, 1280), Extent(0, 1024)),
        (Extent(1024, 2000), Extent(1024, 1024)),
        (Extent(1000, 2000), Extent(1000, 24)),
        (Extent(1000, 279), None),
        (Extent(1000, 280), Extent(1000, 24)),
    ],
)
def test_a_block_is_made_when_enough_is_newer(raw: Extent, block: Extent | None) -> None:
    """It ends at a multiple of its size, and the newest samples are no part of one."""
    assert next_block(raw) == block


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (extents(*[1] * 7), 0),
        (extents(*[1] * 9), 8),
        (extents(*[1] * 64), 64),
        (extents(*[1] * 70), 64),
        (extents(8, 8, 8, 1, 1), 0),
        (extents(*[8] * 7, *[1] * 8), 15),
        (extents(64, 64, 64), 0),
        (extents(64, 1, 1, 64), 2),
        (extents(64, 1, 64), 0),
        (extents(40, 40), 0),
        (extents(15, 1, 16), 2),
        (extents(*[15] * 5), 5),
    ],
)
def test_small_commits_are_gathered(raw: list[Extent], count: int) -> None:
    """Until they are large, or a large one follows."""
    assert len(next_gathering(raw)) == count


@pytest.mark.parametrize(
    ("below", "tile"),
    [
        (extents(4, 4, 4), None),
        (extents(4, 4, 4, 4), Extent(0, 16)),
        (extents(4, 4, 4, 4, 4, first=8), None),
        (extents(4, 4, 4, 4, 4, 4, first=8), Extent(16, 16)),
        (extents(4, 4) + extents(4, 4, 4, 4, first=16), Extent(16, 16)),
        (extents(3, 4, 4, 4, first=1), None),
    ],
)
def test_a_tile_is_made_of_neighbours_that_fill_it(
    below: list[Extent], tile: Extent | None
) -> None:
    """Where some are gone, the next whole tile is made."""
    assert next_tile(below, 16) == tile
