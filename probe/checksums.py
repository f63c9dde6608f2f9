"""Checksums of parameters: did a single bit change?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_WORDS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def checksums(parameters: Sequence[Tensor]) -> list[int]:
    """Return a 64-bit sum over the bits of each parameter, read as integers.

    Exact and independent of the order of summation, so the same on any device; any change
    of a single element changes it. One copy to the host per device.
    """
    sums: list[int] = [0] * len(parameters)
    by_device: dict[torch.device, list[int]] = {}
    for position, parameter in enumerate(parameters):
        by_device.setdefault(parameter.device, []).append(position)
    with torch.no_grad():
        for positions in by_device.values():
            values = torch.stack([_bit_sum(parameters[p]) for p in positions]).tolist()
            for position, value in zip(positions, values, strict=True):
                sums[position] = value
    return sums


def _bit_sum(parameter: Tensor) -> Tensor:
    data = parameter.detach()
    if data.is_complex():
        data = torch.view_as_real(data)
    return data.view(_WORDS[data.element_size()]).sum(dtype=torch.int64)
