"""The commands that wait for the next step boundary."""

from __future__ import annotations

import threading
from collections import deque

from ..model.commands import Command, CommandState, Report
from .reports import Reports


class CommandQueue:
    """Takes commands in any thread, and gives them out in the training thread, in order."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._lock = threading.Lock()
        self.waiting: deque[Command] = deque()
        """Those that no boundary has taken yet, oldest first; whether there are any, any thread
        may ask."""
        self._delay: str | None = None
        """Why no boundary comes at which they could be applied, or None."""
        self._seen: set[int] = set()
        """The server's numbers of all commands so far: it sends some again when it reconnects."""

    def submit(self, command: Command) -> None:
        """Queue a command for the next boundary; one that was seen before is ignored."""
        with self._lock:
            if command.id is not None:
                if command.id in self._seen:
                    return
                self._seen.add(command.id)
            # Before it is queued: the training thread may apply it at once.
            self._reports.send(Report(command, CommandState.DELIVERED, detail=self._delay))
            self.waiting.append(command)

    def delay(self, reason: str | None) -> None:
        """Report of all that wait, and of those that come, why they are not applied yet."""
        with self._lock:
            self._delay = reason
            for command in self.waiting if reason is not None else ():
                self._reports.send(Report(command, CommandState.DELIVERED, detail=reason))

    def take(self) -> list[Command]:
        """Empty the queue and return what was in it, oldest first."""
        with self._lock:
            commands = list(self.waiting)
            self.waiting.clear()
        return commands
