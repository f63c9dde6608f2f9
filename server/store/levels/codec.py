"""Compression of numbers: the one door to the library `pcodec`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, standalone

_LEVEL = 6
AUTOMATIC = ChunkConfig(compression_level=4)
"""Finds out by itself how numbers are packed best."""
PLAIN = ChunkConfig(compression_level=_LEVEL, delta_spec=DeltaSpec.no_op())
"""Packs numbers as they are."""
DIFFERENCES = ChunkConfig(compression_level=_LEVEL, delta_spec=DeltaSpec.try_consecutive(1))
"""Packs the differences of neighbours, which suits what drifts."""


def compress(numbers: NDArray[Any], config: ChunkConfig = AUTOMATIC) -> bytes:
    """Compress numbers in one dimension, exactly."""
    return bytes(standalone.simple_compress(numbers, config))


def decompress(data: bytes) -> NDArray[Any]:
    """Undo `compress`."""
    return np.asarray(standalone.simple_decompress(data))
