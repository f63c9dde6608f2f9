"""Packing of values: the same bits come out."""

from __future__ import annotations

import numpy as np

from gradgate.server.store.metrics.buckets import of_values
from gradgate.server.store.metrics.packing import (
    Values,
    pack_buckets,
    pack_values,
    unpack_buckets,
    unpack_values,
)

ODD = np.array([0.1, -0.0, 5e-324, 1.7e308, np.nan, np.inf, -np.inf, 1 / 3])


def test_values_are_the_same_to_the_bit() -> None:
    """Also those that are not finite, and the sign of a zero."""
    whole = Values(np.arange(8) + 2**52, np.arange(8)[::-1].copy(), ODD * 0.5, ODD)
    again = unpack_values(pack_values(whole))
    for name in ("seqs", "steps", "times", "values"):
        assert getattr(again, name).tobytes() == getattr(whole, name).tobytes()


def test_buckets_are_the_same_with_the_size_of_their_level() -> None:
    """How many values each stands for is not stored."""
    whole = of_values(np.arange(16), np.tile(ODD, 2)).merged(16)
    again = unpack_buckets(pack_buckets(whole), 1)
    for packed, given in zip(again.columns(), whole.columns(), strict=True):
        assert packed.tobytes() == given.tobytes()
