"""From a device to the host; here the device is the host."""

from __future__ import annotations

import pytest
import torch

from gradgate.probe.torch_compat.readback import Readback


@pytest.mark.parametrize("count", [1, 2])
def test_what_its_owner_may_change_is_copied(count: int) -> None:
    """A norm that the script's own clipping returned, say; whatever is kept is not."""
    parts = [torch.tensor([1.0, 2.0], dtype=torch.float64) for _ in range(count)]
    copied, kept = Readback(parts), Readback(parts, kept=True)
    expected = [1.0, 2.0] * count
    assert kept.ready()
    assert kept.values().tolist() == expected
    for part in parts:
        part.zero_()
    assert copied.values().tolist() == expected


def test_integers_stay_whole() -> None:
    """Beyond what a float64 tells apart."""
    assert Readback([torch.tensor([2**53 + 1])]).integers().tolist() == [2**53 + 1]
