"""Counts the numbers of a tensor by their sign and magnitude, in octaves.

Gradients of one tensor span many decades around zero, so bins of equal width would hold nearly all
in one of them. An octave reaches from a power of two to the next. Which octave a float lies in is
written in its exponent bits, so that the count is exact, needs no look at the extremes before, and
is the same for every tensor and step. Subnormal numbers (of float32 those below 1.2e-38) are all
counted in the octave below the smallest normal one. Numbers of other types are counted as the
float that holds them: of integers beyond 2^53 as the nearest one, of complex ones the magnitudes.
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
from .kept_elements import elements_at, spread_places
from .memory_order import in_memory_order

MOST_NORMS = 256
"""Norms of rows that are told, at most: of more rows the largest of neighbours."""
SUB_BITS = 4
"""Bits behind the exponent that are counted apart, and added up on the host: on an accelerator an
addition waits for the one before it to the same place, and most numbers share few exponents."""


@dataclass(frozen=True)
class _Format:
    """How a float of one dtype is made of bits."""

    dtype: torch.dtype
    bits: torch.dtype
    """Integers as wide as it is."""
    mantissa: int
    bias: int


_FORMATS = {
    torch.float32: _Format(torch.float32, torch.int32, 23, 127),
    torch.float64: _Format(torch.float64, torch.int64, 52, 1023),
}


class PendingDistribution:
    """The distribution of a tensor, on its way from the device; nobody waits for it."""

    def __init__(
        self,
        tensor: Tensor,
        *,
        absent: int = 0,
        rows: bool = True,
        factor: Tensor | None = None,
        most: int | None = None,
        turn: int = 0,
    ) -> None:
        """Count now. ``absent``: zeros beside the numbers of ``tensor``, which is dense.

        ``rows``: take the norms of its rows, where it has any. ``factor``: what all numbers still
        carry, a tensor of one element. ``most``: of more numbers an even sample is counted, without
        rows; which one is decided by ``turn``.
        """
        held = tensor.detach()
        numbers, wide = in_memory_order(held), _wide(held)
        places = spread_places(held.numel(), turn, held.numel() if most is None else most)
        factor = None if factor is None else factor.detach().to(held.device).reshape(())
        self.counted = len(places)
        """Numbers that were looked at one by one."""
        sampled = self.counted < held.numel()
        self._absent = absent * self.counted // held.numel() if sampled else absent
        self._sample_of = held.numel() + absent if sampled else None
        self._format = _FORMATS[wide]
        self._counts = Readback([_count(numbers, places, self._format, factor)])
        has_rows = rows and not sampled and held.ndim > 1 and held.numel() > 0
        self._row_count = len(held) if has_rows else 0
        self._rows = Readback(_row_norms(held, wide, factor)) if has_rows else None

    def read(self) -> Distribution:
        """Return it; waits until it has arrived."""
        counts = self._counts.integers()
        zeros, above, below, posinf = (int(count) for count in counts[-4:])
        nan = self.counted - zeros - above - below
        octaves = counts[:-4].reshape(2, -1, 1 << SUB_BITS).sum(2)
        # Bit patterns, as signed integers: those of negative numbers come first.
        negative, positive = octaves[0, :-1], octaves[1, :-1]
        neginf = int(octaves[:, -1].sum()) - nan - posinf
        # Zeros have the exponent of subnormal numbers, whose number is what is left of its sign.
        negative[0] = below - neginf - negative[1:].sum()
        positive[0] = above - posinf - positive[1:].sum()
        first, negative, positive = _trimmed(negative, positive)
        return Distribution(
            numel=self.counted + self._absent,
            sample_of=self._sample_of,
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


def _wide(tensor: Tensor) -> torch.dtype:
    """Return the float that the numbers of a tensor are counted as: the least that holds them."""
    narrow = tensor.dtype.itemsize <= 2 or tensor.dtype == torch.float32
    # Apple's devices have no float64.
    return torch.float32 if narrow or tensor.device.type == "mps" else torch.float64


def _real(tensor: Tensor, wide: torch.dtype) -> Tensor:
    """Return the numbers as reals of a type, or their magnitudes."""
    return (tensor.to(wide.to_complex()).abs() if tensor.is_complex() else tensor).to(wide)


def _pieces(tensor: Tensor, places: range) -> Iterator[Tensor]:
    """Return the numbers at these places, as many at a time as are to be taken at once."""
    at_once = _at_once(tensor)
    if len(places) == tensor.numel():
        # Where it leaves gaps, a copy takes less time than a search for each of its numbers.
        yield from tensor.reshape(-1).split(at_once)
    else:
        for begin in range(0, len(places), at_once):
            yield elements_at(tensor, places[begin : begin + at_once])


def _count(tensor: Tensor, places: range, form: _Format, factor: Tensor | None) -> Tensor:
    """Count bit patterns by their upper bits, then zeros, those above and below 0, infinities.

    Gives int64 [2^(SUB_BITS + 1 + bits of the exponent) + 4] on its device.
    """
    shift = form.mantissa - SUB_BITS
    half = 1 << (8 * form.bits.itemsize - 1 - shift)
    counts = torch.zeros(2 * half, dtype=torch.int64, device=tensor.device)
    one = torch.ones(1, dtype=torch.int64, device=tensor.device)
    signs = torch.zeros(4, dtype=torch.int64, device=tensor.device)
    for piece in _pieces(tensor, places):
        # A sample lies far apart in memory, and is read more than once.
        real = _real(piece, form.dtype).contiguous()
        # Divided by now, and not as it came: in sixteen bits a small number would become zero.
        real = real if factor is None else real / factor
        cells = (real.view(form.bits) >> shift).add_(half).long()
        counts.scatter_add_(0, cells, one.expand_as(cells))
        signs += torch.stack(
            [(real == 0).sum(), (real > 0).sum(), (real < 0).sum(), (real == torch.inf).sum()]
        )
    return torch.cat([counts, signs])


def _at_once(tensor: Tensor) -> int:
    """Return how many numbers to take at once: to stay in a CPU's cache, or below 100 megabytes.

    Each takes up to some 60 bytes meanwhile. A tensor that leaves gaps and is counted whole is
    copied beside that.
    """
    return 2**18 if tensor.device.type == "cpu" else 2**20


def _row_norms(tensor: Tensor, wide: torch.dtype, factor: Tensor | None) -> list[Tensor]:
    """Return how many rows are all zeros, [1], and the largest norms of neighbours."""
    rows = max(1, _at_once(tensor) * len(tensor) // tensor.numel())
    norms = torch.cat([_norms(_real(part.flatten(1), wide)) for part in tensor.split(rows)])
    norms = norms if factor is None else norms / factor
    length = -(-len(norms) // MOST_NORMS)
    padded = torch.nn.functional.pad(norms, (0, -len(norms) % length))
    return [(norms == 0).sum().reshape(1).to(norms.dtype), padded.view(-1, length).amax(1)]


def _norms(rows: Tensor) -> Tensor:
    """Return the norm of each row, by way of its largest magnitude: no over- or underflow."""
    wider = torch.float32 if rows.device.type == "mps" else torch.float64
    largest = torch.maximum(rows.amax(1), -rows.amin(1))
    ordinary = torch.isfinite(largest) & (largest > 0)
    unit = torch.where(ordinary, largest, 1)
    norms = torch.linalg.vector_norm(rows / unit.unsqueeze(1), dim=1).to(wider) * unit.to(wider)
    return torch.where(ordinary, norms.clamp(max=torch.finfo(wider).max), norms)


def _trimmed(
    negative: npt.NDArray[np.int64], positive: npt.NDArray[np.int64]
) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut the empty octaves at both ends away; return the place of the first, and the rest."""
    (taken,) = (negative + positive).nonzero()
    first, end = (int(taken[0]), int(taken[-1]) + 1) if len(taken) else (0, 0)
    return first, negative[first:end], positive[first:end]
