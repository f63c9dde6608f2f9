"""Checksums of parameters: did a single bit change?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..torch_compat.tensors import dense_tensors
from .stacks import Stacks

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

    def take(self, tensors: Sequence[Tensor], stacks: Stacks | None = None) -> Tensor:
        """Return one checksum a tensor, int64 [tensors], on their device; nobody waits.

        All have at least one element, and share a device and a dtype. ``stacks``: theirs, if
        they are known already.
        """
        with torch.no_grad():
            if tensors[0].device.type != "cpu" or len(tensors) == 1:
                return self._alone(tensors)
            stacks = stacks or Stacks([tensor.shape for tensor in tensors])
            return stacks.reduce(tensors, self._of_rows, self._alone)

    def _alone(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack([self._sum(_words(tensor.reshape(1, -1))[0]) for tensor in tensors])

    def _of_rows(self, rows: Tensor) -> Tensor:
        words = _words(rows)
        return (words * self._on(rows.device)[: words.shape[1]]).sum(1)

    def _sum(self, words: Tensor) -> Tensor:
        """Sum up words [words], of which there may be many times as many as weights."""
        weights = self._on(words.device)
        full = words.numel() // ROW
        rest = words[full * ROW :]
        total = (rest * weights[: rest.numel()]).sum()
        at_once = ROWS_ON_CPU if words.device.type == "cpu" else ROWS
        for first in range(0, full, at_once):
            last = min(first + at_once, full)
            sums = (words[first * ROW : last * ROW].view(-1, ROW) * weights).sum(1)
            # Each row counts by an odd factor of its own, so that two that change places are seen.
            factors = torch.arange(2 * first + 3, 2 * last + 3, 2, device=words.device)
            total += (sums * factors).sum()
        return total

    def _on(self, device: torch.device) -> Tensor:
        weights = self._weights.get(device)
        if weights is None:
            self._weights[device] = weights = torch.from_numpy(_WEIGHTS).to(device)
        return weights


def checksums(parameters: Sequence[Tensor]) -> list[int]:
    """Return the checksum of each, 0 of one without numbers; waits for their devices.

    Of a sharded parameter it is that of this rank's own part.
    """
    sums = [0] * len(parameters)
    groups: dict[tuple[torch.device, torch.dtype], list[tuple[int, int, Tensor]]] = {}
    for position, parameter in enumerate(parameters):
        for part, held in enumerate(dense_tensors(parameter.detach())):
            if held.numel():
                groups.setdefault((held.device, held.dtype), []).append((position, part, held))
    taking = Checksums()
    for group in groups.values():
        taken = taking.take([held for *_, held in group]).tolist()
        for (position, part, _), value in zip(group, taken, strict=True):
            # By an odd factor of its own, so that changes of several parts do not cancel out.
            sums[position] = _wrapped(sums[position] + (2 * part + 1) * value)
    return sums


def _wrapped(value: int) -> int:
    """Return an integer as one of 64 bits holds it."""
    return (value + 2**63) % 2**64 - 2**63


def _words(rows: Tensor) -> Tensor:
    """Return the bits of rows [rows, elements] as 64-bit words, the last one filled up."""
    if rows.is_complex():
        rows = torch.view_as_real(rows).flatten(1)
    octets = rows.contiguous().view(torch.uint8)
    missing = -octets.shape[1] % 8
    if missing:
        octets = functional.pad(octets, (0, missing))
    elif octets.storage_offset() % 8:
        # A tensor may begin anywhere in its storage, a view of 64-bit words may not.
        octets = octets.clone()
    return octets.view(torch.int64)
