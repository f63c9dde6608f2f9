"""A program that is run for a check, and the report of it, however it ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from ..base.errors import ExpectationError
from ..live.expected import Expected
from .check import Check, Enough
from .children import Children
from .ending import Ending, threads_left
from .limit import TimeLimit
from .program import Program
from .report import report
from .watch import Watch


class CheckedProgram:
    """Runs a program until it was seen for some steps, and writes what was found to a file."""

    def __init__(
        self, program: Program, steps: int, limit: float, expect: tuple[str, ...], file: Path
    ) -> None:
        """``limit``: seconds without a step. Raises :class:`NoProgramError` where there is none."""
        self._program = program
        self._script = program.prepare()
        self._file = file.absolute()
        self._started = time.time()
        self._check = Check(steps, Expected(expect), give_up=self._give_up)
        self._watch = Watch(self._check)
        self._children = Children()
        self._seconds = limit
        self._concluding = threading.Lock()
        self._concluded = False

    def run(self) -> None:
        """Run the program, and write the report."""
        # A strict run of the script's own raises what is among the findings.
        ending = Ending(Enough, ExpectationError)
        limit = TimeLimit(
            self._seconds,
            lambda: self._check.latest,
            Enough,
            self._check.time_out,
            self._give_up,
        )
        with ending:
            try:
                self._program.run()
            finally:
                if not threads_left():
                    limit.end()  # here, where what it raises is taken in
        if ending.outcome == "exited" and ending.error is not None:
            print(ending.code, file=sys.stderr)  # as Python does
        if ending.outcome == "ended" and threads_left():
            atexit.register(self._conclude, ending)  # which Python calls when they have ended
            return
        self._conclude(ending)
        if ending.outcome == "stopped" and threads_left():
            _exit()

    def _conclude(self, ending: Ending) -> None:
        """Write the report, once: two threads may come here."""
        with self._concluding:
            if not self._concluded:
                self._write(ending)
            self._concluded = True

    def _write(self, ending: Ending) -> None:
        self._watch.stop(failed=ending.failed)
        self._children.stop()
        count = self._children.count
        found = report(
            self._program,
            self._script,
            self._check,
            self._watch,
            ending,
            self._started,
            count,
            self._seconds,
        )
        found.write(self._file)

    def _give_up(self) -> NoReturn:
        """End the process of a script that goes on whatever it is stopped by."""
        ending = Ending()
        ending.outcome = "stopped"
        self._conclude(ending)
        _exit()


def _exit() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
