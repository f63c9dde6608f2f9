"""Non-reentrant checkpoints that wait for their recomputation.

Public torch tells of none of them. Seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from typing import Any

from .heap import living
from .parts import Part

FRAME = Part(
    "torch.utils.checkpoint._CheckpointFrame",
    otherwise="a checkpoint that is played again after a command may raise",
)
PARTS = (FRAME,)


def living_frames() -> list[Any]:
    """Return those that were made and not used up; see :func:`living` for its cost.

    Each plays its function again by what it has as ``recompute_fn``.
    """
    return [] if FRAME.missing else living(FRAME.value)
