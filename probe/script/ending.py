"""How a program ended."""

from __future__ import annotations

import threading
from collections.abc import Collection
from types import TracebackType
from typing import Literal

from .program import NoProgramError, sentence, show

Outcome = Literal["stopped", "ended", "exited", "raised"]
"""It was stopped, came to its end, called ``sys.exit()`` with another code than 0, or raised."""


def threads_left(beside: Collection[threading.Thread]) -> bool:
    """Return whether threads go on that Python waits for before it ends.

    ``beside``: threads that were there before the program, and are none of its own.
    """
    others = {threading.main_thread(), *beside}
    return any(not each.daemon for each in threading.enumerate() if each not in others)


class Ending:
    """A context manager around a program: takes in what it raises, and shows it as Python does.

    Ctrl-C goes on, and so does that there is no such program.
    """

    def __init__(self, *stops: type[BaseException]) -> None:
        """``stops``: what the program is stopped by, on purpose."""
        self._stops = stops
        self.outcome: Outcome = "ended"
        self.code: str | int | None = None
        """What ``sys.exit()`` was given."""
        self.error: str | None = None
        """What was raised, or said by ``sys.exit("…")``, in one line."""

    @property
    def exit_code(self) -> int:
        """The exit code that Python would have ended with."""
        if self.outcome == "raised":
            return 1
        return self.code if isinstance(self.code, int) else int(self.code is not None)

    @property
    def failed(self) -> bool:
        """Whether the program did not end well."""
        return self.outcome in ("raised", "exited")

    def __enter__(self) -> Ending:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            return True
        if isinstance(error, self._stops):
            self.outcome = "stopped"
            return True
        if isinstance(error, SystemExit):
            self.code = error.code
            self.outcome = "exited" if self.exit_code else "ended"
            if not isinstance(error.code, int | None):
                self.error = " ".join(str(error.code).split())
            return True
        self.outcome = "raised"
        self.error = sentence(error)
        if isinstance(error, (KeyboardInterrupt, NoProgramError)):
            return False
        show(error)
        return True
