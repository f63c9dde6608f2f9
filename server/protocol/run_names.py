"""Names of runs: many runs share one, and a number tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from .runs import RunStatus


class Named(Protocol):
    """A run, as far as its name goes."""

    @property
    def name(self) -> str:
        """What the job or a person called it."""

    @property
    def number(self) -> int:
        """Which of the runs of this name it is, from 1."""

    @property
    def status(self) -> RunStatus:
        """Whether its probe is there."""


NamedT = TypeVar("NamedT", bound=Named)


def numbered(run: Named) -> str:
    """Return the name that is this run's alone: `digits`, then `digits#2`."""
    return run.name if run.number == 1 else f"{run.name}#{run.number}"


def runs_of_name(runs: Sequence[NamedT], wanted: str) -> list[NamedT]:
    """Return the runs that a name means.

    The one of `NAME#N`, else those of `NAME` that live, else the latest of `NAME`.
    """
    exact = [run for run in runs if f"{run.name}#{run.number}" == wanted]
    named = sorted((run for run in runs if run.name == wanted), key=lambda run: run.number)
    return exact or [run for run in named if run.status is RunStatus.LIVE] or named[-1:]
