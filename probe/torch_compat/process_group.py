"""Whether other processes train along with this one."""

from __future__ import annotations

import torch.distributed as dist


def in_process_group() -> bool:
    """Whether ``init_process_group`` was called, be it for one process only."""
    return dist.is_available() and dist.is_initialized()


def world_size() -> int:
    """How many processes train together; 1 where there is no process group."""
    return dist.get_world_size() if in_process_group() else 1
