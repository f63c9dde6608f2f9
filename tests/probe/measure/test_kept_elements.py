"""Which elements of a weight are kept, and where they are in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradgate.probe.measure.kept_elements import elements_at, spread

NUMBERS = torch.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)


@pytest.mark.parametrize(
    "tensor",
    [
        NUMBERS,
        NUMBERS.permute(3, 1, 0, 2),
        NUMBERS[:, :, :, 1:4],
        NUMBERS[:, 1:, ::2],
        NUMBERS[:, :, 1:2],
        NUMBERS.to(memory_format=torch.channels_last),
        NUMBERS.flatten()[1::3],
        NUMBERS[0].expand(3, 3, 4, 5),
        NUMBERS.to(torch.complex64)[..., ::2].conj(),
        NUMBERS[..., ::2].to(torch.float8_e5m2),
    ],
)
def test_elements_are_those_of_the_flattened_tensor(tensor: Tensor) -> None:
    """Whatever its order in memory is, and whatever gaps it leaves."""
    flat = tensor.reshape(-1)
    for places in (range(1, len(flat), 7), range(len(flat)), range(5, 9)):
        expected = flat[places.start : places.stop : places.step]
        found = elements_at(tensor, places)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert spread(tensor, 3, len(flat)).tolist() == flat.tolist()


def test_a_spread_is_even_and_moves_with_the_step() -> None:
    """Over all rows and columns alike."""
    rows = torch.arange(6400.0).reshape(64, 100)[:, :64]
    kept = [spread(rows, step, 512) for step in (1, 2)]
    assert not torch.equal(*kept)
    for elements in kept:
        assert 256 < len(elements) <= 512
        assert len((elements // 100).unique()) == len((elements % 100).unique()) == 64
