"""The order of numbers in memory."""

from __future__ import annotations

import pytest
import torch

from gradgate.probe.measure.memory_order import in_memory_order


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 2, 3, 1), (2, 0, 3, 1)])
def test_numbers_come_as_they_lie_in_memory(order: tuple[int, ...]) -> None:
    """However the dimensions of a tensor were turned, and without a copy."""
    numbers = torch.arange(2 * 3 * 4 * 5)
    turned = numbers.view(2, 3, 4, 5).permute(order)
    found = in_memory_order(turned)
    assert found.is_contiguous()
    assert found.data_ptr() == numbers.data_ptr()
    assert torch.equal(found.reshape(-1), numbers)


def test_one_number_has_an_order() -> None:
    """A tensor without a dimension is as it was."""
    assert in_memory_order(torch.tensor(3.0)).item() == 3.0
