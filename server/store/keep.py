"""How much is kept in full, as a person says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept in full, None for all: so many days, and so many gigabytes of data."""

    days: float | None = None
    gb: float | None = None


KEEP_ALL = Keep()
