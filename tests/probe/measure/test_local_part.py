"""The elements of a tensor that this process holds."""

from __future__ import annotations

import torch
from torch import nn

from gradgate.probe.measure.local_part import local_part, unreadable
from tests.support.sharded import Sharded


def test_the_part_of_a_sharded_tensor_is_this_ranks_own() -> None:
    """And any other is as it is, but for the values of a sparse one."""
    plain = torch.eye(2)
    assert local_part(plain) is plain
    assert local_part(Sharded(plain)) is plain
    assert local_part(plain.to_sparse()).tolist() == [1.0, 1.0]


def test_what_has_no_memory_left_cannot_be_read() -> None:
    """Of a parameter, a tensor and a part alike; to read it would end the process."""
    kinds = (nn.Parameter, torch.Tensor.clone, lambda tensor: Sharded(tensor.clone()))
    for kind in kinds:
        weight = kind(torch.ones(3))
        assert unreadable(weight) is None
        local_part(weight.detach()).untyped_storage().resize_(0)
        assert unreadable(weight) == "its memory was given back"
