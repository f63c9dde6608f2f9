"""What a level of a run has tiles of, found without reading one; fast by the primary key."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from ...protocol.statistics import STATES_CODE
from ..tables import tiles


def stored_codes(connection: Connection, run: str, level: int) -> list[int]:
    """Return the codes of the statistics and figures that a level has, in their order."""
    found: list[int] = []
    least = select(func.min(tiles.c.statistic)).where(tiles.c.run == run, tiles.c.level == level)
    code = connection.scalar(least)
    while code is not None:
        found.append(code)
        code = connection.scalar(least.where(tiles.c.statistic > code))
    return found


def block_count(connection: Connection, run: str, level: int) -> int:
    """Return how many blocks of parameters a level has; none is left out between others."""
    highest = connection.scalar(
        select(func.max(tiles.c.block)).where(
            tiles.c.run == run, tiles.c.level == level, tiles.c.statistic == STATES_CODE
        )
    )
    return 0 if highest is None else highest + 1
