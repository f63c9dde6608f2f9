"""A script that is watched: `python -m gradgate.probe.script run|check OPTIONS SCRIPT [ARGUMENTS]`.

The commands `gradgate run` and `gradgate check` start it, and have the options in words.
"""

from __future__ import annotations

import argparse
import atexit
import logging
import sys
import threading
from pathlib import Path

from ..session.arguments import checked_server
from .checked import CheckOptions, check_program
from .ending import Ending, threads_left
from .program import NoProgramError, Program
from .stream import Stream
from .watch import Watch

logger = logging.getLogger("gradgate")

MISUSED = 2
"""The exit code where there is no such script, as Python's own."""


def main() -> str | int | None:
    """Do what the command line says; return what to exit with."""
    given = _parser().parse_args()
    program = Program(given.script, tuple(given.arguments), given.module)
    try:
        expect = tuple(given.expect)
        if given.command == "check":
            how = (given.report, given.steps, given.limit, expect, given.process)
            return check_program(program, CheckOptions(*how))
        stream = Stream(
            given.name,
            _server(),
            given.every,
            expect,
            given.strict,
            source=not given.no_source,
        )
        return run(program, stream)
    except (NoProgramError, _NoServerError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return MISUSED


def run(program: Program, stream: Stream) -> str | int | None:
    """Run a script that streams; return what it ends with, as ``sys.exit()`` takes it."""
    before = frozenset(threading.enumerate())
    watch, ending = Watch(stream), Ending()
    try:
        with ending:
            program.run()
    finally:
        if ending.outcome == "ended" and threads_left(before):
            atexit.register(_stop, watch, ending)  # which Python calls when they have ended
        else:
            _stop(watch, ending)
    return ending.code if ending.outcome == "exited" else ending.exit_code


class _NoServerError(Exception):
    """An address is none of a dashboard."""


def _server() -> str | None:
    """Return an address that ``attach`` takes, which is asked for in the middle of the script."""
    try:
        return checked_server(None)
    except ValueError as error:
        raise _NoServerError(str(error)) from error


def _stop(watch: Watch, ending: Ending) -> None:
    watch.stop(failed=ending.failed)
    if watch.lack is not None and ending.outcome != "raised":
        logger.warning("gradgate: nothing was watched: %s.", watch.lack)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="command", required=True)
    # Abbreviations would be looked for among the script's own arguments, too.
    running, checking = (kinds.add_parser(kind, allow_abbrev=False) for kind in ("run", "check"))
    running.add_argument("--name")
    running.add_argument("--every", type=int)
    running.add_argument("--strict", action="store_true")
    running.add_argument("--no-source", action="store_true")
    checking.add_argument("--steps", type=int, default=20)
    checking.add_argument("--limit", type=float, default=600.0)
    checking.add_argument("--process", default="")
    checking.add_argument("--report", type=Path, required=True)
    for each in (running, checking):
        each.add_argument("--expect", action="append", default=[])
        each.add_argument("--module", action="store_true")
        each.add_argument("script")
        each.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
