"""The processes that train along, and their store."""

from __future__ import annotations

import pytest
import torch.distributed as dist

from gradgate.probe.base.errors import MissingFromTorch
from gradgate.probe.distributed import store
from gradgate.probe.torch_compat import process_group
from tests.support.lacking import door_without

NAME = "torch.distributed.distributed_c10d._get_default_store"


def test_without_a_group_one_trains_alone() -> None:
    """And there is no store."""
    assert not process_group.in_process_group()
    assert process_group.world_size() == 1


@pytest.mark.usefixtures("alone")
def test_the_store_of_the_group_is_shared_below_a_prefix() -> None:
    """Keys of two prefixes do not meet."""
    assert process_group.in_process_group()
    process_group.default_store("one").set("key", "1")
    process_group.default_store("other").set("key", "2")
    assert process_group.default_store("one").get("key") == b"1"
    assert dist.get_world_size() == process_group.world_size()


@pytest.mark.usefixtures("alone")
def test_a_store_that_is_not_handed_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name; attach() says so, and the job's own calls go on."""
    door = door_without(monkeypatch, "process_group", NAME)
    with pytest.raises(MissingFromTorch, match="_get_default_store"):
        door.default_store("prefix")
    monkeypatch.setattr(store, "default_store", door.default_store)
    with pytest.raises(store.StoreGone, match="_get_default_store"):
        store.RankStore("prefix").read(["key"])
