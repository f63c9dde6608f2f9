"""Which part of a run is taken out: parameters, and a range of steps."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ..store.refusals import BadRange, ReversedRange
from ..store.runs import run_record
from ..store.sample_blocks import sampled_steps
from ..store.targets import chosen_places


@dataclass(frozen=True, slots=True)
class Selection:
    """A run, the places of some of its parameters in table order, and steps, both included.

    `match` is what chose the parameters, None for all of them.
    """

    run: str
    name: str
    places: list[int]
    match: str | None = None
    first_step: int | None = None
    last_step: int | None = None

    def has_step(self, step: int) -> bool:
        """Return whether a step lies in the range."""
        after = self.first_step is None or step >= self.first_step
        return after and (self.last_step is None or step <= self.last_step)


def selection(
    connection: Connection,
    run: str,
    match: str | None = None,
    first_step: int | None = None,
    last_step: int | None = None,
) -> Selection:
    """Find what is meant; raises `UnknownRun`, `UnknownParameter`, `ReversedRange` and
    `BadRange`."""
    record = run_record(connection, run)
    _check_range(run, sampled_steps(connection, run), first_step, last_step)
    places = chosen_places(connection, run, match)
    return Selection(run, record.name, places, match, first_step, last_step)


def _check_range(
    run: str, sampled: tuple[int, int] | None, first_step: int | None, last_step: int | None
) -> None:
    if first_step is not None and last_step is not None and first_step > last_step:
        raise ReversedRange(first_step, last_step)
    if first_step is None and last_step is None:
        return
    if sampled is None:
        raise BadRange(f"Run {run!r} has no sample yet: leave `from` and `to` out.")
    known = f"the samples of run {run!r} are of steps {sampled[0]} to {sampled[1]}."
    if first_step is not None and first_step > sampled[1]:
        raise BadRange(f"Nothing is known from step {first_step} on: {known}")
    if last_step is not None and last_step < sampled[0]:
        raise BadRange(f"Nothing is known up to step {last_step}: {known}")
