"""A gate as the run reports it in Python."""

from __future__ import annotations

from dataclasses import dataclass

from .limit import Limit


@dataclass(frozen=True)
class GateInfo:
    """A gate as :meth:`Run.gates` reports it."""

    id: int
    site: str
    when: str
    action: str
    factor: float | None
    max_norm: float | None
    hold: int
    paused: bool
    by: str
    command: int | None
    """The server's number of the command that made or changed it last; None for Python."""
    since_step: int
    closed: bool
    """Whether it was closed in the latest step in which a gradient came to it."""
    steps: int
    """Steps in which a gradient came to it."""
    closed_steps: int
    """Of those, the steps in which it was closed at least once."""
    norm_in: float | None
    """L2 norm of the gradient that came to it, as of the latest that was measured."""
    norm_out: float | None
    """L2 norm of what passed of that."""
    problem: str | None
    parameters: tuple[str, ...]
    """The parameters that got no gradient because of it in the latest step."""
    limit: Limit | None = None
    """What removes it by itself; None for nothing."""
