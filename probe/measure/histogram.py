"""Counts the numbers of a tensor by their sign and magnitude, in octaves.

Gradients of one tensor span many decades around zero, so bins of equal width would hold nearly all
in one of them. An octave reaches from a power of two to the next. Which octave a float lies in is
written in its exponent bits, so that the count is exact, needs no look at the extremes before, and
is the same for every tensor and step. Subnormal numbers (of float32 those below 1.2e-38) are all
counted in the octave below the smallest normal one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..model.distribution import Distribution, RowNorms
from ..torch_compat.readback import Readback

MOST_NORMS = 256
"""Norms of rows that are told, at most: of more rows the largest of neighbours."""
SUB_BITS = 4
"""Bits behind the exponent that are counted apart, and added up on the host: on an accelerator an
addition waits for the one before it to the same place, and most numbers share few exponents."""


@dataclass(frozen=True)
class _Format:
    """How a float of one dtype is made of bits."""

    bits: torch.dtype
    """Integers as wide as it is."""
    mantissa: int
    bias: int


_FORMATS = {
    torch.float32: _Format(torch.int32, 23, 127),
    torch.float64: _Format(torch.int64, 52, 1023),
}


class PendingDistribution:
    """The distribution of a tensor, on its way from the device; nobody waits for it."""

    def __init__(self, tensor: Tensor, *, absent: int = 0, rows: bool = True) -> None:
        """Count now. ``absent``: zeros beside the numbers of ``tensor``, which is dense.

        ``rows``: take the norms of its rows, where it has any.
        """
        self._absent = absent
        self._numel = tensor.numel() + absent
        numbers = tensor.detach().flatten()
        wide = torch.float64 if tensor.dtype in (torch.float64, torch.complex128) else torch.float32
        self._format = _FORMATS[wide]
        self._counts = Readback([_count(numbers, wide, self._format)])
        has_rows = rows and tensor.ndim > 1 and tensor.numel() > 0
        self._row_count = len(tensor) if has_rows else 0
        self._rows = Readback(_row_norms(tensor.detach())) if has_rows else None

    def read(self) -> Distribution:
        """Return it; waits until it has arrived."""
        counts = self._counts.integers()
        zeros, above, below, posinf = (int(count) for count in counts[-4:])
        nan = self._numel - self._absent - zeros - above - below
        octaves = counts[:-4].reshape(2, -1, 1 << SUB_BITS).sum(2)
        # Bit patterns, as signed integers: those of negative numbers come first.
        negative, positive = octaves[0, :-1], octaves[1, :-1]
        neginf = int(octaves[:, -1].sum()) - nan - posinf
        # Zeros have the exponent of subnormal numbers, whose number is what is left of its sign.
        negative[0] = below - neginf - negative[1:].sum()
        positive[0] = above - posinf - positive[1:].sum()
        first, negative, positive = _trimmed(negative, positive)
        return Distribution(
            numel=self._numel,
            zeros=zeros + self._absent,
            nan=nan,
            posinf=posinf,
            neginf=neginf,
            first=first - self._format.bias,
            negative=negative.tolist(),
            positive=positive.tolist(),
            rows=self._read_rows(),
        )

    def _read_rows(self) -> RowNorms | None:
        if self._rows is None:
            return None
        zero, *norms = self._rows.values().tolist()
        return RowNorms(self._row_count, int(zero), norms)


def _count(numbers: Tensor, wide: torch.dtype, form: _Format) -> Tensor:
    """Count bit patterns by their upper bits, then zeros, those above and below 0, infinities.

    Takes [n], gives int64 [2^(SUB_BITS + 1 + bits of the exponent) + 4] on its device.
    """
    shift = form.mantissa - SUB_BITS
    half = 1 << (8 * form.bits.itemsize - 1 - shift)
    counts = torch.zeros(2 * half, dtype=torch.int64, device=numbers.device)
    one = torch.ones(1, dtype=torch.int64, device=numbers.device)
    signs = torch.zeros(4, dtype=torch.int64, device=numbers.device)
    for piece in _pieces(numbers):
        real = (piece.abs() if piece.is_complex() else piece).to(wide)
        places = (real.contiguous().view(form.bits) >> shift).long() + half
        counts.scatter_add_(0, places, one.expand_as(places))
        signs += torch.stack(
            [(real == 0).sum(), (real > 0).sum(), (real < 0).sum(), (real == torch.inf).sum()]
        )
    return torch.cat([counts, signs])


def _pieces(numbers: Tensor) -> Iterator[Tensor]:
    """Yield it piece by piece: one that stays in a CPU's cache, and takes little of a device."""
    yield from numbers.split(2**18 if numbers.device.type == "cpu" else 2**24)


def _row_norms(tensor: Tensor) -> list[Tensor]:
    """Return how many rows are all zeros, [1], and the largest norms of neighbours."""
    wide = torch.float32 if tensor.device.type == "mps" else torch.float64
    rows = tensor.flatten(1)
    if rows.is_complex():
        rows = rows.abs()
    elif rows.dtype.itemsize == 1:  # torch has no norm of floats of eight bits
        rows = rows.float()
    norms = torch.linalg.vector_norm(rows, dim=1, dtype=wide)
    length = -(-len(norms) // MOST_NORMS)
    padded = torch.nn.functional.pad(norms, (0, -len(norms) % length))
    return [(norms == 0).sum().reshape(1).to(wide), padded.view(-1, length).amax(1)]


def _trimmed(
    negative: npt.NDArray[np.int64], positive: npt.NDArray[np.int64]
) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut the empty octaves at both ends away; return the place of the first, and the rest."""
    (taken,) = (negative + positive).nonzero()
    first, end = (int(taken[0]), int(taken[-1]) + 1) if len(taken) else (0, 0)
    return first, negative[first:end], positive[first:end]
