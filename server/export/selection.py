"""Which part of a run is taken out: parameters, and a range of steps."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ..store.parameter_table import parameter_names
from ..store.refusals import Refusal, UnknownParameter
from ..store.runs import run_record
from ..store.sample_blocks import sampled_steps
from ..store.tables import parameters
from ..store.targets import meant


class BadRange(Refusal):
    """There is nothing between the two steps."""

    status = 422
    title = "No such steps"


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
    """Find what is meant; raises `UnknownRun`, `UnknownParameter` and `BadRange`."""
    record = run_record(connection, run)
    _check_range(run, sampled_steps(connection, run), first_step, last_step)
    places = _places(connection, run, match)
    return Selection(run, record.name, places, match, first_step, last_step)


def _places(connection: Connection, run: str, match: str | None) -> list[int]:
    query = select(parameters.c.names).where(parameters.c.run == run)
    names = list(connection.scalars(query.order_by(parameters.c.position)))
    if match is None:
        return list(range(len(names)))
    places = meant(match, names)
    if not places:
        near = difflib.get_close_matches(match, parameter_names(connection, run), 3)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "none is named like it."
        raise UnknownParameter(f"{match!r} means no parameter of run {run!r}: {hint}")
    return places


def _check_range(
    run: str, sampled: tuple[int, int] | None, first_step: int | None, last_step: int | None
) -> None:
    if first_step is not None and last_step is not None and first_step > last_step:
        raise BadRange(
            f"The range from step {first_step} to step {last_step} is reversed: "
            f"give `from={last_step}` and `to={first_step}`."
        )
    if first_step is None and last_step is None:
        return
    if sampled is None:
        raise BadRange(f"Run {run!r} has no sample yet: leave `from` and `to` out.")
    known = f"the samples of run {run!r} are of steps {sampled[0]} to {sampled[1]}."
    if first_step is not None and first_step > sampled[1]:
        raise BadRange(f"Nothing is known from step {first_step} on: {known}")
    if last_step is not None and last_step < sampled[0]:
        raise BadRange(f"Nothing is known up to step {last_step}: {known}")
