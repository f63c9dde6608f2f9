"""What the store refuses: each says why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

_LISTED = 5


class Refusal(Exception):
    """What was asked cannot be done; the message says why and what to do."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"
    passing: ClassVar[bool] = False
    """Whether another try may soon succeed."""


class UnknownRun(Refusal):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}: GET /api/runs lists the runs that are known.")
        self.run = run


class UnknownTable(Refusal):
    """A job says that its table is as it was, and it is not known here."""

    def __init__(self, run: str) -> None:
        super().__init__(f"The parameter table of run {run!r} is not known: send all of it.")


class EndedRun(Refusal):
    """The run has ended, so no command can reach it."""

    status = 409
    title = "Ended"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run!r} has ended, so its job can be neither steered nor asked any more: "
            "start the job again for that. `gradgate explain --no-ask` shows what is known of it."
        )


class LiveRunKept(Refusal):
    """The run is live, so it is not deleted."""

    status = 409
    title = "Live"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run!r} is live, and what its job sends would come back: end the job, "
            "and delete the run when it is finished or lost."
        )


class AmbiguousRun(Refusal):
    """Several live runs have the name."""

    status = 409
    title = "Several runs"

    def __init__(self, name: str, runs: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} may be any of {len(runs)} live runs: {', '.join(runs[:_LISTED])}"
            f"{' …' if len(runs) > _LISTED else ''}. Give one of these, or an id."
        )


class BeingDeleted(Refusal):
    """The run was deleted, and its data are not all gone yet."""

    status = 409
    title = "Being deleted"
    passing = True

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run!r} was deleted, and its data are being removed: try again in a moment."
        )


class UnknownCommand(Refusal):
    """There is no such command."""


class UnknownParameter(Refusal):
    """There is no such parameter."""


class UnknownMetric(Refusal):
    """There is no such metric."""


class ReversedRange(Refusal):
    """The last step of a range lies before its first."""

    status = 422
    title = "No such steps"

    def __init__(self, first: int, last: int) -> None:
        super().__init__(
            f"The range from step {first} to step {last} is reversed: "
            f"give `from={last}` and `to={first}`."
        )


class BadRange(Refusal):
    """There is nothing between the two steps."""

    status = 422
    title = "No such steps"


class TooManyPoints(Refusal):
    """More points are asked for than one answer has."""

    status = 422
    title = "Too many points"


class UnknownEvent(Refusal):
    """There is no such event."""


class UnknownEntry(Refusal):
    """There is no such entry of the audit log."""
