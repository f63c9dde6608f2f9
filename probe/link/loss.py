"""Tells of what a run loses at its end."""

from __future__ import annotations

import logging

from .outbox import Outbox

logger = logging.getLogger("gradgate")


def warn_of_loss(outbox: Outbox, lacks: str, why: str) -> None:
    """Say so where a run that is over still has something in memory: who lacks it, and why."""
    unstored = outbox.unstored
    if unstored:
        size = f"{max(1, round(unstored / 2**10)):,} KiB"
        logger.warning("gradgate: %s the last %s of what was measured: %s.", lacks, size, why)
