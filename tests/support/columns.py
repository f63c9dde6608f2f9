"""Reads columns in binary by what docs/protocol.md says alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_NUMBERS = {"u8": np.uint8, "u32": "<u4", "f32": "<f4", "f64": "<f8"}


def read_columns(packed: bytes) -> dict[str, list[Any]]:
    """The columns by their names; every byte has to be accounted for."""
    assert packed[:4] == b"GG\x01\x03"
    at = 8 + int.from_bytes(packed[4:8], "little")
    found: dict[str, list[Any]] = {}
    for column in json.loads(packed[8:at]):
        assert at % 8 == 0
        length = column["length"]
        values = column.get("values", [])
        if column["type"] == "words":
            found[column["name"]] = values
            size = 0
        elif column["type"] == "coded":
            codes = np.frombuffer(packed, "<u4", length, at)
            found[column["name"]] = [values[code] for code in codes]
            size = 4 * length
        elif column["type"] == "halves":
            upper, lower = np.frombuffer(packed, np.uint8, 2 * length, at).reshape(2, length)
            bits = upper.astype(np.uint32) << 24 | lower.astype(np.uint32) << 16
            found[column["name"]] = bits.view(np.float32).tolist()
            size = 2 * length
        else:
            numbers = np.frombuffer(packed, _NUMBERS[column["type"]], length, at)
            found[column["name"]] = numbers.tolist()
            size = numbers.nbytes
        at += -(-size // 8) * 8
    assert at == len(packed)
    return found
