"""How many numbers can be counted in a time, by how long it took of late."""

from __future__ import annotations

from collections import deque
from statistics import median

import torch

CALLS = 2**14
"""Numbers that take as long as the calls of one tensor, however small it is."""
FIRST = 2e-8
"""Seconds a number, as long as none was counted."""
ELSEWHERE = 2e-10
"""What counting one number is taken to cost on a device whose time is not seen from here."""
_LATEST = 9
_LEAST = 4096


class CountingPace:
    """Foresees how long it takes to count the numbers of a tensor, and learns from each."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_LATEST)
        """Of one number on the CPU, of each of the latest tensors."""

    def seconds(self, device: torch.device, numbers: int) -> float:
        """Return how long so many numbers of one tensor are likely to take."""
        return (numbers + CALLS) * self._of(device)

    def numbers(self, device: torch.device, seconds: float) -> int:
        """Return how many numbers of one tensor can be counted in a time: a power of two.

        So it stays the same from one look to the next as long as the pace is much the same.
        """
        affordable = max(_LEAST, int(seconds / self._of(device)) - CALLS)
        return 1 << (affordable.bit_length() - 1)

    def learn(self, device: torch.device, numbers: int, seconds: float) -> float:
        """Take in how long a tensor took in the training thread; return what it took elsewhere."""
        if device.type != "cpu":
            return numbers * ELSEWHERE
        self._seconds.append(seconds / (numbers + CALLS))
        return 0.0

    def _of(self, device: torch.device) -> float:
        if device.type != "cpu":
            return ELSEWHERE
        # Of few: one that was held up says nothing of the next.
        return median(self._seconds) if self._seconds else FIRST
