"""The leaves of a step are known by the parameters that they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from gradgate.probe.diagnosis.leaf_keys import LeafKeys
from gradgate.probe.torch_compat.fsdp import ShardedGroups


def test_a_leaf_that_stands_for_nothing_is_known_by_itself() -> None:
    """Whether it is a parameter of the models or not."""
    known, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    keys = LeafKeys([known])
    for leaf in (known, other, torch.ones(2)):
        assert keys.of(leaf) == id(leaf)
        assert keys.part_of(leaf) is None
        assert keys.is_parameter(id(leaf)) == (leaf is known)
        assert not keys.follows(leaf)
        assert not keys.is_part(id(leaf))


@pytest.mark.usefixtures("alone")
def test_a_whole_parameter_is_known_by_its_part() -> None:
    """Also by keys that are older than it; and it follows its part as long as the flags agree."""
    model = nn.Linear(2, 2)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    parts = list(model.parameters())
    groups = ShardedGroups({"": model})
    keys = LeafKeys(parts, groups)
    assert not any(keys.is_part(id(part)) for part in parts)
    assert (keys.wholes, keys.waits) == ([], True)

    model(torch.ones(1, 2))
    wholes = [whole for whole, _ in groups.wholes()]
    assert list(map(keys.of, wholes)) == list(map(id, parts))
    assert all(keys.is_parameter(keys.of(whole)) for whole in wholes)
    assert list(map(keys.part_of, wholes)) == parts
    assert list(map(keys.part_of, parts)) == [None, None]
    assert (keys.wholes, keys.waits) == (wholes, False)
    assert all(keys.is_part(id(part)) for part in parts)

    wholes[0].requires_grad_(False)
    assert list(map(keys.follows, wholes)) == [False, True]
    parts[0].requires_grad_(False)
    assert all(map(keys.follows, wholes))
