"""What is run for a check, a program or a process of its own, and the report of it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from ..base.errors import ExpectationError
from ..live.expected import Expected
from .check import Check, Enough
from .children import Children, Target
from .ending import Ending, threads_left
from .limit import PATIENCE, TimeLimit
from .program import Program
from .report import Checked, report
from .watch import Watch


@dataclass(frozen=True)
class CheckOptions:
    """How a check is to be made."""

    file: Path
    """Where the report is written to."""
    steps: int = 20
    limit: float = 600.0
    """Seconds without a step."""
    expect: tuple[str, ...] = ()
    process: str = ""
    """The name of this process; "" for that of the script itself."""


class Checking:
    """Runs something until it was seen for some steps, and writes what was found to a file."""

    def __init__(self, program: Program, script: str, options: CheckOptions) -> None:
        """``script``: the file of the program."""
        self._program = program
        self._script = script
        self._options = options
        self._started = time.time()
        self._before = frozenset(threading.enumerate())
        self._check = Check(
            options.steps,
            Expected(options.expect),
            give_up=self._give_up,
            progress=options.file if options.process else None,
        )
        self._watch = Watch(self._check)
        self._children = Children(options.file, self._target, self._command)
        self._concluding = threading.Lock()
        self._concluded = False

    def run(self, body: Callable[[], object]) -> Ending:
        """Run it, and write the report."""
        # A strict run of the script's own raises what is among the findings.
        ending = Ending(Enough, ExpectationError)
        limit = TimeLimit(self._left, Enough, self._late, self._give_up)
        with ending:
            try:
                body()
            finally:
                if not threads_left(self._before):
                    limit.end()  # here, where what it raises is taken in
        if ending.outcome == "exited" and ending.error is not None:
            print(ending.code, file=sys.stderr)  # as Python does
        if ending.outcome == "ended" and threads_left(self._before) and not self._options.process:
            atexit.register(self._conclude, ending)  # which Python calls when they have ended
            return ending
        self._conclude(ending)
        if ending.outcome == "stopped" and threads_left(self._before):
            _exit()
        return ending

    def _left(self) -> float:
        """Return how many seconds there are left without a step."""
        idle = min(time.monotonic() - self._check.latest, self._children.idle)
        return (PATIENCE if self._children_are_seen else self._options.limit) - idle

    @property
    def _children_are_seen(self) -> bool:
        """Whether others have trained for long enough: this process only waits for them."""
        return not self._check.steps_made and self._children.seen

    def _late(self) -> None:
        self._check.time_out(for_good=not self._children_are_seen)

    def _conclude(self, ending: Ending) -> None:
        """Write the report, once: two threads may come here."""
        with self._concluding:
            if not self._concluded:
                self._write(ending)
                self._check.wait_no_longer()
            self._concluded = True

    def _write(self, ending: Ending) -> None:
        self._watch.stop(failed=ending.failed)
        self._children.stop()
        checked = Checked(
            self._program,
            self._script,
            self._options.process,
            self._started,
            self._options.limit,
            self._children.records,
        )
        report(checked, self._check, self._watch, ending).write(self._options.file)

    def _give_up(self) -> NoReturn:
        """End the process of a script that goes on whatever it is stopped by."""
        ending = Ending()
        ending.outcome = "stopped"
        self._conclude(ending)
        _exit()

    def _target(self, target: Target, name: str, file: Path) -> Target:
        options = replace(self._options, process=self._named(name), file=file)
        return CheckedTarget(target, self._program, self._script, options)

    def _command(self, name: str, file: Path) -> list[str]:
        options = self._options
        return [
            *("-m", "gradgate.probe.script", "check", f"--report={file}"),
            *(f"--steps={options.steps}", f"--limit={options.limit}"),
            *(f"--expect={each}" for each in options.expect),
            f"--process={self._named(name)}",
        ]

    def _named(self, name: str) -> str:
        """Return the name of a process that this one starts."""
        return f"{self._options.process} / {name}" if self._options.process else name


@dataclass(frozen=True)
class CheckedTarget:
    """What a process calls instead of its target, to check itself; it goes there by pickle."""

    target: Target
    program: Program
    script: str
    options: CheckOptions

    def __call__(self, *arguments: object, **named: object) -> None:
        """Call the target until it was seen for some steps, and end as that does."""
        body = partial(self.target, *arguments, **named)
        ending = Checking(self.program, self.script, self.options).run(body)
        if ending.failed:
            raise SystemExit(ending.exit_code)


def check_program(program: Program, options: CheckOptions) -> int:
    """Check a program; return the exit code that it would have had.

    Raises :class:`NoProgramError` where there is none.
    """
    script = program.prepare()
    absolute = replace(options, file=options.file.absolute())
    return Checking(program, script, absolute).run(program.run).exit_code


def _exit() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
