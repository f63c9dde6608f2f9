"""What the pages of a run look at closely, brought together and told to its job."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..protocol import limits
from ..protocol.version import UPGRADE
from .connection import ProbeConnection
from .subscriber import Subscriber
from .topics import FOCUS, Focused

REPEAT = 5.0
"""Seconds after which a job is told again what is looked at: it looks away after three times as
many without a word."""

_NO_JOB = (
    "The job of this run is not connected to this server, so nobody can look closely: this goes "
    "on as soon as it is."
)
_OLD_PROBE = (
    "The probe of this job cannot look closely: where the training job runs, upgrade it by "
    f"{UPGRADE}."
)


class RunFocus:
    """The focus of one run: of each page what it looks at; used from the event loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: dict[Subscriber, Sequence[int]] = {}
        """By page."""
        self._order: list[int] = []
        """The parameters that pages look at, in the order in which somebody began to."""
        self._connection: ProbeConnection | None = None
        self._most = 0
        self._known = 0
        self._told: list[int] = []
        """What the job was told last."""
        self._repeat: asyncio.TimerHandle | None = None

    def follow(self, page: Subscriber) -> None:
        """Take over what a page looks at now."""
        before = self._asked.get(page, ())
        if page.watched.focus:
            self._asked[page] = page.watched.focus
        else:
            self._asked.pop(page, None)
        if list(before) != page.watched.focus:
            self._update()

    def leave(self, page: Subscriber) -> None:
        """Let a page go, and look away from what only it looked at."""
        if self._asked.pop(page, None) is not None:
            self._update()

    def connect(self, connection: ProbeConnection, most: int) -> None:
        """Tell a job that has come what is looked at; ``most``: parameters that it can look at."""
        self._connection, self._most, self._told = connection, min(most, limits.FOCUS), []
        self._update()

    def know(self, parameters: int) -> None:
        """Look at none but the first so many parameters: the run has no others."""
        if parameters != self._known:
            self._known = parameters
            self._update()

    def disconnect(self) -> None:
        """Let the job go."""
        self._connection = None
        self._update()

    def _update(self) -> None:
        asked = dict.fromkeys(index for each in self._asked.values() for index in each)
        stay = {index: None for index in self._order if index in asked}
        self._order = list(stay | asked)
        chosen = self._chosen()
        if chosen != self._told:
            self._told = chosen
            self._tell()
        told = Focused(frozenset(chosen), self._known, self._most, self._problem())
        for page in self._asked:
            page.add(FOCUS, told)

    def _chosen(self) -> list[int]:
        """Return what the job is to look at: what was asked for first."""
        if self._connection is None:
            return []
        return [index for index in self._order if index < self._known][: self._most]

    def _problem(self) -> str | None:
        if self._connection is None:
            return _NO_JOB
        return None if self._most else _OLD_PROBE

    def _tell(self) -> None:
        """Tell the job what to look at, and again for as long as there is something."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None
        if self._connection is not None:
            self._connection.focus(self._told, 3 * REPEAT)
            if self._told:
                self._repeat = self._loop.call_later(REPEAT, self._tell)
