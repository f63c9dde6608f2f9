"""Checksums of parameters."""

from __future__ import annotations

import pytest
import torch

from gradgate.probe.freeze.checksums import checksums


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
