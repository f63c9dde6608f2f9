"""What a script expects of its training, as it declares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expected:
    """Names, modules' paths or globs of what is expected; made by :func:`expect`."""

    trains: tuple[str, ...] = ()
    """Parameters that get a useful gradient, and move."""
    frozen: tuple[str, ...] = ()
    """Parameters that keep every bit."""
    frozen_stats: tuple[str, ...] = ()
    """Modules whose running statistics keep every bit."""
    share: tuple[float, float] | None = None
    """The least and the largest share of the numbers of the model that may be trainable."""

    def as_message(self) -> dict[str, Any]:
        """Return what a run says of it when it connects, as the wire protocol has it."""
        restraints = {
            "frozen": list(self.frozen),
            "frozen_stats": list(self.frozen_stats),
            "share": None if self.share is None else list(self.share),
        }
        return {"expect": list(self.trains), "restraints": restraints}


NOTHING = Expected()


def expect(
    *,
    trains: Sequence[str] = (),
    frozen: Sequence[str] = (),
    frozen_stats: Sequence[str] = (),
    share: tuple[float, float] | None = None,
) -> Expected:
    """Say what is expected of a training, for ``attach(expect=...)``.

    ``trains``: names, modules' paths or globs of parameters that ought to get a useful gradient
    and move; ``frozen``: of those that must not change in a single bit; ``frozen_stats``: of
    modules (or their buffers) whose running statistics must not. ``share``: between which shares,
    of all numbers of the model, those that require a gradient must lie: ``(0.001, 0.02)``.

    Raises ValueError for what is no list of names, and for a share out of range.
    """
    return Expected(
        patterns("trains", trains),
        patterns("frozen", frozen),
        patterns("frozen_stats", frozen_stats),
        None if share is None else _range(share),
    )


def patterns(argument: str, given: object) -> tuple[str, ...]:
    """Return a list of names or globs; raises ValueError for what is none."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise ValueError(
            f"{argument}={given!r}: give a list of names or globs, such as ['encoder.*']."
        )
    return tuple(str(pattern) for pattern in given)


def _range(share: object) -> tuple[float, float]:
    values = list(share) if isinstance(share, (tuple, list)) else []
    if len(values) == 2 and all(isinstance(value, (int, float)) for value in values):
        least, most = map(float, values)
        if 0 <= least <= most <= 1:
            return least, most
    raise ValueError(
        f"share={share!r}: give the least and the largest share of the model's numbers that may "
        "be trainable, from 0 to 1, such as (0.001, 0.02)."
    )
