"""Checksums of parameters: did a single bit change?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_CHUNK = 2**22
"""Elements that are weighted at a time: it bounds the memory that a checksum takes."""

Checksum = tuple[int, int]


def checksums(parameters: Sequence[Tensor]) -> list[Checksum]:
    """Return two 64-bit sums over the bits of each parameter, read as integers.

    The first is plain, so that any change of a single element changes it; in the second
    each element counts by its position, so that a permutation changes it. Integers wrap
    around, so both are exact and the same on any device. One copy to the host per device.
    """
    sums: list[Checksum] = [(0, 0)] * len(parameters)
    by_device: dict[torch.device, list[int]] = {}
    for position, parameter in enumerate(parameters):
        by_device.setdefault(parameter.device, []).append(position)
    with torch.no_grad():
        for positions in by_device.values():
            values = torch.stack([_bit_sums(parameters[p]) for p in positions]).tolist()
            for position, (plain, weighted) in zip(positions, values, strict=True):
                sums[position] = plain, weighted
    return sums


def _bit_sums(parameter: Tensor) -> Tensor:
    data = parameter.detach()
    if data.is_complex():
        data = torch.view_as_real(data)
    words = data.contiguous().view(_WORDS[data.element_size()]).flatten()
    weighted = torch.zeros((), dtype=torch.int64, device=words.device)
    for start in range(0, words.numel(), _CHUNK):
        chunk = words[start : start + _CHUNK]
        weights = torch.arange(start, start + chunk.numel(), device=words.device) * 2 + 1
        weighted += (chunk * weights).sum()
    return torch.stack([words.sum(dtype=torch.int64), weighted])
