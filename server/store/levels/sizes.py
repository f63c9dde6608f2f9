"""How many samples the tiles and the buckets of each level hold.

Level 0 has the samples as commits brought them, level 1 the same in blocks of `BLOCK_SAMPLES`. Each
level above is a pyramid's: buckets of many samples, `FACTOR` times as many as those of the level
below, `TILE_BUCKETS` of them in a tile. All tiles above level 0 begin at a multiple of their size,
counted in samples since the run began. The lowest buckets of the pyramid come with each block, in
tiles of as many samples, which are put together later.
"""

from __future__ import annotations

RAW_LEVEL = 0
BLOCK_LEVEL = 1
FIRST_PYRAMID_LEVEL = 2

BLOCK_SAMPLES = 1024
EXACT_SAMPLES = 256
"""The newest samples of a run that stay exactly as they came, at least."""

GATHERED_SAMPLES = ((16, 64), (8, 8))
"""Commits of less than the one number of samples are put together until they have the other, in two
stages, so that the newest samples are in few spans; nothing is rounded by it. To put larger ones
together would cost ingest more than it saves readers."""

TILE_BUCKETS = 64
FACTOR = 4

_LEAST_BUCKET = 64


def bucket_samples(level: int) -> int:
    """Return how many samples a bucket of a level holds; below the pyramid it is one."""
    if level < FIRST_PYRAMID_LEVEL:
        return 1
    return int(_LEAST_BUCKET * FACTOR ** (level - FIRST_PYRAMID_LEVEL))


def tile_samples(level: int) -> int:
    """Return how many samples a tile of a level above 0 holds."""
    return BLOCK_SAMPLES if level == BLOCK_LEVEL else TILE_BUCKETS * bucket_samples(level)
