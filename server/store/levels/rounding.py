"""Rounding of float32 to fewer bits: what a block keeps of a value, and what the pyramid does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_BITS = 9
"""Bits of the mantissa in blocks: to the nearest, so an error of at most 2**-10 of the value."""

PYRAMID_BITS = 8
"""Bits of the mantissa in the pyramid: another 2**-9 of the value at most, in any direction."""

Values = NDArray[np.float32]

_MANTISSA = 23
_SIGN = np.uint32(0x8000_0000)
_MAGNITUDE = np.uint32(0x7FFF_FFFF)
_INFINITY = np.uint32(0x7F80_0000)
_SMALLEST_NORMAL = np.uint32(0x0080_0000)


def round_nearest(values: Values, bits: int) -> Values:
    """Round to the nearest value of so many mantissa bits.

    Zero, infinity and what is below the smallest normal number stay as they are, and no finite
    value becomes infinite.
    """
    return _rounded(values, bits, np.uint32(1 << (_MANTISSA - bits - 1)))


def round_down(values: Values, bits: int) -> Values:
    """Round towards minus infinity to so many mantissa bits; else like `round_nearest`."""
    return _rounded(values, bits, np.where(np.signbit(values), _below_one(bits), np.uint32(0)))


def round_up(values: Values, bits: int) -> Values:
    """Round towards plus infinity to so many mantissa bits; else like `round_nearest`."""
    return _rounded(values, bits, np.where(np.signbit(values), np.uint32(0), _below_one(bits)))


def spare_bits(values: Values) -> int:
    """Return how many low bits are 0 in every number; NaN and infinity count as whatever fits."""
    bits = values.view(np.uint32)
    used = int(np.bitwise_or.reduce(bits, axis=None)) if bits.size else 0
    return (used & -used).bit_length() - 1 if used else 0


def _below_one(bits: int) -> np.uint32:
    below: np.uint32 = np.uint32((1 << (_MANTISSA - bits)) - 1)
    return below


def _rounded(values: Values, bits: int, added: NDArray[np.uint32] | np.uint32) -> Values:
    kept = np.uint32(0xFFFF_FFFF ^ ((1 << (_MANTISSA - bits)) - 1))
    whole = values.view(np.uint32)
    magnitude = whole & _MAGNITUDE
    moved = (magnitude + added) & kept
    # The largest numbers would become infinite: those are cut off instead.
    moved = np.where(moved >= _INFINITY, magnitude & kept, moved)
    exact = (magnitude < _SMALLEST_NORMAL) | (magnitude >= _INFINITY)
    rounded = np.where(exact, magnitude, moved) | (whole & _SIGN)
    # Every NaN is the same one, so that its payload takes no room.
    rounded = np.where(magnitude > _INFINITY, np.uint32(0x7FC0_0000), rounded)
    found: Values = rounded.view(np.float32)
    return found
