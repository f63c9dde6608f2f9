"""A script that is attached to by itself, and streams to the server as if it had said so."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from ..base.errors import GradgateError
from ..session.attach import attach
from ..session.run import Run, job_of
from .discovery import Found

logger = logging.getLogger("gradgate")


@dataclass(frozen=True)
class Stream:
    """Follows a script by attaching to all that it trains; the fields are those of ``attach``."""

    name: str | None = None
    server: str | None = None
    every: int | None = None
    expect: tuple[str, ...] = ()
    strict: bool = False
    source: bool = True

    def attach(self, found: Found) -> Run | None:
        """Attach; where that is refused the script goes on without, and the log says why."""
        try:
            run = attach(
                found.given,
                found.optimizers,
                name=self.name,
                server=self.server,
                every=self.every,
                expect=self.expect,
                strict=self.strict,
                source=self.source,
            )
        except (GradgateError, ValueError) as error:
            logger.warning("gradgate: the script goes on unwatched: %s", error)
            return None
        _tell(run)
        return run

    def run_made(self, run: Run) -> None:
        """Leave the script's own run as it is."""
        _tell(run)

    def stepped(self, run: Run) -> None:
        """Leave it to the run."""

    def end(self, run: Run, *, failed: bool) -> None:
        """Say goodbye for the run."""
        job_of(run).end(failed=failed)

    def replace(self, run: Run) -> None:
        """Say goodbye for the run: the one that comes has its name, and the next number."""
        self.end(run, failed=False)


def _tell(run: Run) -> None:
    """Say where the run is looked at; of several ranks the first has a page."""
    if run.url is not None:
        print(f"gradgate: this run is at {run.url}", file=sys.stderr)
