"""Checksums of parameters."""

from __future__ import annotations

import pytest
import torch

from gradgate.probe.measure.checksums import ROW, ROWS_ON_CPU, checksums


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=str)
def test_a_checksum_sees_single_bits_permutations_and_opposite_changes(dtype: torch.dtype) -> None:
    """Any change of one bit, a swap of two elements, or two changes that cancel out is seen."""
    data = torch.arange(1, 101).to(dtype)
    (before,) = checksums([data])
    assert checksums([data.clone()]) == [before]
    assert checksums([data.flip(0)]) != [before]
    bits = (torch.view_as_real(data) if dtype.is_complex else data).clone()
    words = bits.view({2: torch.int16, 4: torch.int32}[bits.element_size()])
    words.view(-1)[3] += 1
    assert checksums([bits]) != checksums([torch.view_as_real(data) if dtype.is_complex else data])
    words.view(-1)[7] -= 1
    assert checksums([bits]) != checksums([torch.view_as_real(data) if dtype.is_complex else data])


@pytest.mark.parametrize("numel", [1, 3, 2 * ROW + 5, 2 * ROW * (ROWS_ON_CPU + 1) + 7])
def test_a_checksum_sees_every_element_of_any_size(numel: int) -> None:
    """The last odd bytes, the last unfinished row, and rows that change places."""
    data = torch.arange(numel, dtype=torch.float32)
    (before,) = checksums([data])
    for place in {0, numel // 2, numel - 1}:
        changed = data.clone()
        changed.view(torch.int32)[place] ^= 1
        assert checksums([changed]) != [before]
    if numel > 4 * ROW:
        swapped = data.clone()
        swapped[: 2 * ROW], swapped[2 * ROW : 4 * ROW] = data[2 * ROW : 4 * ROW], data[: 2 * ROW]
        assert checksums([swapped]) != [before]


def test_a_checksum_is_of_the_values_and_not_of_where_they_lie() -> None:
    """In the midst of a buffer, in another memory format, or without any element or dimension."""
    data = torch.randn(2, 3, 4, 5)
    buffer = torch.cat([torch.zeros(3), data.flatten()])
    laid_out = data.to(memory_format=torch.channels_last)
    assert len(set(checksums([data, buffer[3:], laid_out]))) == 1
    assert checksums([torch.empty(0), torch.tensor(2.0)]) != checksums([torch.tensor(2.0)] * 2)
