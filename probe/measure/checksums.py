"""Checksums of parameters: did a single bit change?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ROW = 2**14
"""64-bit words that have weights of their own; after so many the weights begin anew."""
ROWS_ON_CPU = 8
"""Rows that are weighted at a time: they stay within the caches."""
ROWS = 256
"""The same on a device, where few large calls are wanted: 32 MB."""

_WEIGHTS = np.random.Generator(np.random.PCG64(0)).integers(0, 2**63, ROW, np.int64) | 1


class Checksums:
    """Takes sums over the bits of tensors, read as 64-bit words, each times a weight of its own.

    The weights are odd, so that any change of a single word changes the sum, and look like
    random numbers, so that changes of several do not cancel out (by chance once in 2 ** 64).
    Integers wrap around, so a sum is the same on any device.
    """

    def __init__(self) -> None:
        self._weights: dict[torch.device, Tensor] = {}

    def take(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return one checksum a tensor, int64 [tensors]; all are of one device. Nobody waits."""
        with torch.no_grad():
            return torch.stack([self._sum(tensor) for tensor in tensors])

    def _sum(self, tensor: Tensor) -> Tensor:
        octets = _octets(tensor)
        weights = self._on(octets.device)
        whole = octets.numel() // 8
        words = _words(octets[: 8 * whole]) if whole else None
        parts = [] if words is None else self._rows(words, weights)
        if 8 * whole < octets.numel():
            rest = octets[8 * whole :].to(torch.int64)
            parts.append((rest * weights[-rest.numel() :]).sum())
        if len(parts) == 1:
            return parts[0]
        return torch.stack(parts).sum() if parts else weights.new_zeros(())

    @staticmethod
    def _rows(words: Tensor, weights: Tensor) -> list[Tensor]:
        count, full = words.numel(), words.numel() // ROW
        parts, step = [], ROWS_ON_CPU if words.device.type == "cpu" else ROWS
        for first in range(0, full, step):
            last = min(first + step, full)
            sums = (words[first * ROW : last * ROW].view(-1, ROW) * weights).sum(1)
            # Each row counts by an odd factor of its own, so that two that change places are seen.
            factors = torch.arange(2 * first + 3, 2 * last + 3, 2, device=words.device)
            parts.append((sums * factors).sum())
        if full * ROW < count:
            rest = words[full * ROW :]
            parts.append((rest * weights[: count - full * ROW]).sum())
        return parts

    def _on(self, device: torch.device) -> Tensor:
        weights = self._weights.get(device)
        if weights is None:
            self._weights[device] = weights = torch.from_numpy(_WEIGHTS).to(device)
        return weights


def checksums(parameters: Sequence[Tensor]) -> list[int]:
    """Return the checksum of each; one copy to the host per device, which is waited for."""
    sums = [0] * len(parameters)
    by_device: dict[torch.device, list[int]] = {}
    for position, parameter in enumerate(parameters):
        by_device.setdefault(parameter.device, []).append(position)
    taking = Checksums()
    for positions in by_device.values():
        taken = taking.take([parameters[position] for position in positions]).tolist()
        for position, value in zip(positions, taken, strict=True):
            sums[position] = value
    return sums


def _octets(tensor: Tensor) -> Tensor:
    data = tensor.detach()
    if data.is_complex():
        data = torch.view_as_real(data)
    return data.contiguous().view(-1).view(torch.uint8)


def _words(octets: Tensor) -> Tensor:
    # A tensor may begin anywhere in its storage, a view of 64-bit words may not.
    if octets.storage_offset() % 8:
        octets = octets.clone()
    return octets.view(torch.int64)
