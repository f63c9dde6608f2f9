"""For how long a freeze or a gate lasts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..base.errors import CommandError

MOST_STEPS = 2**53
MOST_SECONDS = 10 * 365 * 86400.0


@dataclass(frozen=True, eq=False)
class Limit:
    """What ends a freeze or a gate by itself; the first that comes does.

    Two are never the same: each belongs to the command that it came with.
    """

    steps: int | None = None
    """Steps that it lasts."""
    seconds: float | None = None
    """Seconds that it lasts."""
    while_watched: bool = False
    """It lasts as long as the page that asked for it is there."""

    @classmethod
    def of(cls, for_steps: int | None, for_seconds: float | None) -> Limit | None:
        """Return the limit that a script has asked for, or None for none."""
        return None if for_steps is None and for_seconds is None else cls(for_steps, for_seconds)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Limit | None:
        """Read the ``limit`` of a command, or None where it has none; :meth:`check` judges it.

        Raises :class:`CommandError` for what is nothing of the kind.
        """
        limit = message.get("limit")
        if limit is None:
            return None
        if not isinstance(limit, Mapping):
            raise CommandError(f"limit={limit!r}: give its steps, its seconds, or both.")
        watched = limit.get("while_watched", False) is True
        return cls(limit.get("steps"), limit.get("seconds"), watched)

    def same(self, other: Limit | None) -> bool:
        """Return whether another has the same figures."""
        return other is not None and asdict(self) == asdict(other)

    def check(self) -> None:
        """Raise :class:`CommandError` for what is no time to last."""
        steps, seconds = self.steps, self.seconds
        if steps is not None and not (_is_whole(steps) and 1 <= steps <= MOST_STEPS):
            raise CommandError(f"for_steps={steps!r}: give a whole number of steps from 1 up.")
        if seconds is not None and not (_is_number(seconds) and 0 < seconds <= MOST_SECONDS):
            raise CommandError(
                f"for_seconds={seconds!r}: give seconds, above 0 and up to 10 years."
            )
        if steps is None and seconds is None and not self.while_watched:
            raise CommandError("a limit has steps, seconds, or that somebody watches: give one.")


def as_message(limit: Limit | None) -> dict[str, Any] | None:
    """Return a limit as the wire protocol has it."""
    return None if limit is None else asdict(limit)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
