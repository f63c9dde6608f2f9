"""What the store refuses: each says why, and what to do."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """What was asked cannot be done; the message says why and what to do."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"


class UnknownRun(Refusal):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}: GET /api/runs lists the runs that are known.")


class FinishedRun(Refusal):
    """The run has finished, so no command can reach it."""

    status = 409
    title = "Finished"

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Run {run!r} has finished, so nothing can be changed in it any more: "
            "start the job again and send the command to the new run."
        )


class UnknownCommand(Refusal):
    """There is no such command."""


class UnknownParameter(Refusal):
    """There is no such parameter."""
