"""The elements of a tensor that this process holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard

from gradgate.probe.measure.local_part import is_part, local_part, unreadable
from tests.support.sharded import Sharded


def test_the_part_of_a_sharded_tensor_is_this_ranks_own() -> None:
    """And any other is as it is, but for the values of a sparse one."""
    plain = torch.eye(2)
    assert local_part(plain) is plain
    assert local_part(Sharded(plain)) is plain
    assert local_part(plain.to_sparse()).tolist() == [1.0, 1.0]


@pytest.mark.usefixtures("rank_of_two")
def test_a_tensor_is_a_part_where_other_ranks_have_more_of_it() -> None:
    """Not where each has all of it."""
    mesh = init_device_mesh("cpu", (2,))
    local = torch.ones(2)
    assert is_part(DTensor.from_local(local, mesh, [Shard(0)]))
    assert not is_part(DTensor.from_local(local, mesh, [Replicate()]))
    assert not is_part(local)


def test_what_has_no_memory_left_cannot_be_read() -> None:
    """Of a parameter, a tensor and a part alike; to read it would end the process."""
    kinds = (nn.Parameter, torch.Tensor.clone, lambda tensor: Sharded(tensor.clone()))
    for kind in kinds:
        weight = kind(torch.ones(3))
        assert unreadable(weight) is None
        local_part(weight.detach()).untyped_storage().resize_(0)
        assert unreadable(weight) == "its memory was given back"
