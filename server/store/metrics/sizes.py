"""How many values the blocks and the tiles of each level hold.

Level 0 has blocks of `BLOCK` values as they were logged. Each level above has tiles of `ENTRIES`
buckets, and each bucket stands for `FACTOR` times as many values as one of the level below. All
begin at a multiple of their size, counted in values since the metric was first logged. `ENTRIES` is
a multiple of `FACTOR`, so that a bucket is all of one tile of the level below.
"""

from __future__ import annotations

BLOCK_LEVEL = 0
BLOCK = 2048
FACTOR = 16
ENTRIES = BLOCK // FACTOR

KEPT = 512
"""The newest values of a metric that stay rows, at least, for the other servers of a data base."""


def bucket_values(level: int) -> int:
    """Return how many values a bucket of a level stands for."""
    return int(FACTOR**level)


def tile_values(level: int) -> int:
    """Return how many values a block or a tile of a level holds."""
    return BLOCK if level == BLOCK_LEVEL else ENTRIES * bucket_values(level)
