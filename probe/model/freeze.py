"""A freeze: who stopped a parameter from training, how, and since when."""

from __future__ import annotations

from dataclasses import dataclass

from .limit import Limit


@dataclass(frozen=True)
class Freeze:
    """Who froze a parameter, how, and when."""

    by: str
    mode: str
    since_step: int
    command: int | None
    """The server's number of the command, None for one made in Python."""
    hold_stats: bool = False
    """The running statistics of the modules inside the target are held too."""
    limit: Limit | None = None
    """What ends it by itself; None for nothing."""
