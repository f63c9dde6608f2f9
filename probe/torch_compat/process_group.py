"""The processes that train along with this one, and the store that they share."""

from __future__ import annotations

import os
from typing import Any

import torch.distributed as dist

from .parts import Part


def _look_for_store(name: str) -> Any:
    # A torch that was built without distributed has none of it, and needs none.
    if not dist.is_available():
        return True
    return getattr(dist.distributed_c10d, name.rpartition(".")[2], None)


_STORE = Part(
    "torch.distributed.distributed_c10d._get_default_store",
    otherwise="ranks cannot agree on what to do at which step",
    look=_look_for_store,
)
"""``init_process_group`` takes a store, and nothing public gives it back; torch 2.8 to 2.15."""
PARTS = (_STORE,)


def in_process_group() -> bool:
    """Return whether ``init_process_group`` was called, be it for one process only."""
    return dist.is_available() and dist.is_initialized()


def world_size() -> int:
    """Return how many processes train together; 1 where there is no process group."""
    return dist.get_world_size() if in_process_group() else 1


def rank() -> int:
    """Return the number of this process among those that train together, from 0."""
    return dist.get_rank() if in_process_group() else 0


def restarts() -> int:
    """Return how often torchrun has started the ranks anew: their store may be that of before."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def default_store(prefix: str) -> Any:
    """Return the store of the default process group, below a prefix of its keys."""
    return dist.distributed_c10d.PrefixStore(prefix, _STORE.require()())
