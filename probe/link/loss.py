"""Tells of what a run loses at its end."""

from __future__ import annotations

import logging

from .outbox import Outbox

logger = logging.getLogger("gradgate")


def warn_of_loss(outbox: Outbox, who: str) -> None:
    """Say so where a run that is over still has something in memory; ``who`` has not taken it."""
    if outbox.unstored:
        logger.warning(
            "gradgate: the last %s KiB of what was measured are lost, as far as is known: %s.",
            f"{max(1, round(outbox.unstored / 2**10)):,}",
            who,
        )
