"""Sends what earlier jobs of this machine could not, once a server is there."""

from __future__ import annotations

import logging

from ..base.guard import Guard
from ..spool.folder import SpoolFolder
from .address import ServerAddress
from .replay import FAILURES, replay

logger = logging.getLogger("gradgate")


async def send_leftovers(folder: SpoolFolder, address: ServerAddress, guard: Guard) -> None:
    """Send each file that a job has left for a server, and remove it; what fails stays."""
    with guard:
        for recording in folder.left_for(address.shown):
            name = recording.hello["name"]
            try:
                became = await replay(recording, address)
            except FAILURES as error:
                logger.warning(
                    "gradgate: what the run %r has left in %s could not be sent now: %s",
                    name,
                    recording.path,
                    error,
                )
                continue
            recording.path.unlink()
            logger.info("gradgate: sent %d frames that the run %r had left.", became.stored, name)
            if became.refused:
                logger.warning(
                    "gradgate: %s did not take %d of the frames that the run %r had left, which "
                    "are dropped: please report it.",
                    address.shown,
                    became.refused,
                    name,
                )
