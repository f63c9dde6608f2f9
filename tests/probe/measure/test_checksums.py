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


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta state")
def test_a_checksum_sees_values_and_places_of_a_sparse_tensor(layout: str) -> None:
    """Of each layout that torch has, and of several numbers at one place as of their sum."""

    def sparse(*values: float) -> torch.Tensor:
        dense = torch.tensor(values).reshape(2, 2)
        block = ((1, 1),) if layout.startswith("b") else ()
        name = "to_sparse" if layout == "coo" else f"to_sparse_{layout}"
        made: torch.Tensor = getattr(dense, name)(*block)
        return made

    sums = [checksums([each])[0] for each in (sparse(1, 0, 0, 2), sparse(1, 0, 0, 2))]
    assert sums[0] == sums[1]
    others = (sparse(1, 0, 0, 3), sparse(1, 0, 2, 0), sparse(1, 2, 0, 0))
    assert len({sums[0], *(checksums([each])[0] for each in others)}) == 4


def test_what_has_no_numbers_has_no_checksum() -> None:
    """Beside others that have."""
    full = torch.ones(3)
    assert checksums([torch.ones(3, device="meta"), full])[1] == checksums([full])[0]


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
