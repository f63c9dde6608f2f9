"""Tensors that are put back bit by bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradgate.probe.session.kept_tensors import KeptTensors


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([0.0, -0.0, torch.nan, torch.inf]),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(2, 3, dtype=torch.complex128),
        torch.tensor(7),
        torch.tensor([True, False]),
        torch.arange(6.0).reshape(2, 3).T,
        torch.empty(0),
    ],
    ids=lambda each: f"{each.dtype}",
)
def test_values_come_back_bit_by_bit(tensor: Tensor) -> None:
    """Of every type and layout."""
    kept, before = KeptTensors(), tensor.clone()
    kept.add([tensor])
    tensor.fill_(0)
    kept.put_back()
    assert torch.equal(tensor.nan_to_num(), before.nan_to_num())
    assert torch.equal(tensor.isnan(), before.isnan())


def test_minus_zero_is_not_zero() -> None:
    """What compares equal may have other bits."""
    tensor = torch.tensor([-0.0])
    kept = KeptTensors()
    kept.add([tensor])
    tensor.abs_()
    kept.put_back()
    assert torch.signbit(tensor).item()


def test_what_is_the_same_is_not_written_to() -> None:
    """Also where it holds NaN, which no number equals."""
    tensor = torch.tensor([torch.nan, 1.0])
    kept = KeptTensors()
    kept.add([tensor])
    kept.put_back()
    assert tensor._version == 0


def test_memory_comes_back() -> None:
    """A tensor that was given other memory has its own again, with what it held there."""
    tensor = torch.ones(3)
    memory, view = tensor.data_ptr(), tensor[:1]
    kept = KeptTensors()
    kept.add([tensor])
    tensor.data = torch.zeros(5)
    view.zero_()
    kept.put_back()
    assert tensor.data_ptr() == memory
    assert torch.equal(tensor, torch.ones(3))


def test_the_first_values_count() -> None:
    """What is kept already is not kept anew."""
    tensor = torch.ones(3)
    kept = KeptTensors()
    kept.add([tensor])
    tensor.zero_()
    kept.add([tensor])
    kept.put_back()
    assert torch.equal(tensor, torch.ones(3))
