"""The runs that something is connected to, or that are live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ..protocol.commands.registry import AnyCommand
from ..store.guard import guarded, logged
from ..store.recording import Changes
from .connection import Refused
from .live_run import LiveRun
from .topics import COMMANDS, EVENTS

_DAMAGED = (
    "The server's store is damaged where this run is written, and `GET /healthz` says what to do: "
    "nothing that the run sent since is acknowledged, so that it is sent again."
)
_DROPPED = (
    "The server cannot store what this run sent, and its log says why: nothing more of the run is "
    "stored. Look there, and attach the probe anew."
)


class LiveRuns:
    """Runs by their ids; used from the event loop, beside what names another thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        notify: Callable[[str, Sequence[int]], None] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`notify` is told of each run's new events, by their ids; it does not wait.

        `shared`: other servers show these runs, too.
        """
        self._shared = shared
        self._loop = loop
        self._notify = notify
        self._runs: dict[str, LiveRun] = {}

    def __iter__(self) -> Iterator[LiveRun]:
        """Iterate over the runs that there are now."""
        return iter(tuple(self._runs.values()))

    def get(self, run: str) -> LiveRun | None:
        """Return a run that there is."""
        return self._runs.get(run)

    def take(self, run: str) -> LiveRun:
        """Return a run, made when there is none."""
        if run not in self._runs:
            self._runs[run] = LiveRun(run, self._loop, shared=self._shared)
        return self._runs[run]

    def forget(self, live: LiveRun) -> None:
        """Let go of a run that nobody needs; not of another that has its place by now."""
        if live.idle and self._runs.get(live.id) is live:
            del self._runs[live.id]

    async def stored(self, run: str, patience: float) -> None:
        """Wait until what came of a run so far is stored, at most so many seconds."""
        live = self._runs.get(run)
        if live is not None:
            await live.backlog.stored(patience)

    def commit(self, changes: Sequence[Changes]) -> None:
        """Tell probes and browsers what was stored; a run that fails keeps no other from it."""
        for change in changes:
            self._tell_new(change.run, change.events)
            live = self._runs.get(change.run)
            if live is not None:
                with guarded(logged("Nobody could be told what is stored of run %s", live.id)):
                    live.commit(change)
                if change.status is not None and change.status.ended:
                    self.forget(live)

    def commit_from_writer(self, changes: Sequence[Changes]) -> None:
        """Do `commit` in the event loop; to be called from the thread that writes."""
        self._loop.call_soon_threadsafe(self.commit, changes)

    def drop_from_writer(self, run: str, damaged: bool) -> None:
        """End the connection of a run of which nothing is stored; called like that too."""
        self._loop.call_soon_threadsafe(self._drop, run, damaged)

    def command_from_writer(self, run: str, command: AnyCommand) -> None:
        """Pass a new command to the probe and the browsers; called like that too."""
        self._loop.call_soon_threadsafe(partial(self._command, run, command))

    def announce_from_writer(self, run: str, new: Sequence[int]) -> None:
        """Do `announce` in the event loop; called like that too."""
        self._loop.call_soon_threadsafe(self.announce, run, new)

    def change_from_writer(self, run: str, event: int) -> None:
        """Tell browsers of an event that changed; called like that too."""
        self._loop.call_soon_threadsafe(self._publish, run, [event])

    def announce(self, run: str, new: Sequence[int]) -> None:
        """Tell browsers of new events, and whoever is to be notified."""
        self._tell_new(run, new)
        self._publish(run, new)

    def _tell_new(self, run: str, new: Sequence[int]) -> None:
        if self._notify is not None and new:
            self._notify(run, new)

    def _publish(self, run: str, events: Sequence[int]) -> None:
        live = self._runs.get(run)
        if live is not None and events:
            live.publish(EVENTS, frozenset(events))

    def _drop(self, run: str, damaged: bool) -> None:
        live = self._runs.get(run)
        if live is None:
            return
        live.backlog.give_up()
        if live.connection is not None:
            live.connection.end(Refused(_DAMAGED, retry=True) if damaged else Refused(_DROPPED))
        self.forget(live)

    def _command(self, run: str, command: AnyCommand) -> None:
        live = self._runs.get(run)
        if live is not None:
            if live.connection is not None:
                live.connection.command(command)
            live.publish(COMMANDS, frozenset({command.id}))
