"""Columns in binary: what a page fetches of many parameters (docs/protocol.md, section 3)."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from . import limits
from .frames import COLUMNS, MAGIC, padded

MEDIA_TYPE = "application/vnd.gradgate.columns"

_HEADER = struct.Struct("<2sBBI")
_TYPES = {"u1": "u8", "u4": "u32", "f4": "f32", "f8": "f64"}
_NAN_HALF = 0x7FC0
# Five bits behind the point: half a step of them is 1.6 % of a value at most.
_STEP = 1 << (23 - 5)
_LARGEST = 0x7F80_0000 - _STEP


@dataclass(frozen=True, slots=True)
class Column:
    """One entry of each row; `description` is what the header says of it beside its name."""

    description: dict[str, Any]
    data: bytes = field(default=b"")


def numbers(values: NDArray[Any]) -> Column:
    """Return a column of numbers, uint8, uint32, float32 or float64."""
    type_name = _TYPES[values.dtype.str[1:]]
    data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return Column({"type": type_name, "length": values.size}, data)


def halves(values: NDArray[np.float32]) -> Column:
    """Return a column of float32 numbers in two bytes each, to 1.6 %; NaN for what is not finite.

    A number is the upper half of its float32, rounded. All upper bytes stand before all lower ones,
    since those compress well.
    """
    flat = np.ascontiguousarray(values, np.float32).ravel()
    bits = np.minimum(flat.view(np.uint32) & 0x7FFF_FFFF, _LARGEST) + _STEP // 2
    rounded = (bits // _STEP * _STEP >> 16).astype(np.uint16)
    rounded |= (np.signbit(flat).astype(np.uint16) << 15).astype(np.uint16)
    rounded[~np.isfinite(flat)] = _NAN_HALF
    planes = (rounded >> 8).astype(np.uint8).tobytes() + rounded.astype(np.uint8).tobytes()
    return Column({"type": "halves", "length": flat.size}, planes)


def words(values: Sequence[Any]) -> Column:
    """Return a column of anything that JSON has."""
    return Column({"type": "words", "length": len(values), "values": values})


def coded(values: Sequence[Hashable]) -> Column:
    """Return a column of few different entries, each anything that JSON has, or a row of REST."""
    places: dict[Hashable, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    described = {"type": "coded", "length": len(codes), "values": list(places)}
    return Column(described, numbers(np.array(codes, np.uint32)).data)


def pack(columns: Mapping[str, Column]) -> bytes:
    """Write columns with their names."""
    described = [{"name": name, **column.description} for name, column in columns.items()]
    header = TypeAdapter(list[dict[str, Any]]).dump_json(described)
    text = header.ljust(padded(len(header)))
    parts = [column.data.ljust(padded(len(column.data)), b"\0") for column in columns.values()]
    return b"".join((_HEADER.pack(MAGIC, limits.FRAME_VERSION, COLUMNS, len(text)), text, *parts))
