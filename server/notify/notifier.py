"""Notifications: which events are told, how often, and by which thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from ..protocol.events import EventKind, EventRow
from ..protocol.fields import AlertLevel
from ..protocol.run_names import numbered
from ..store.database import Store
from ..store.events import event_rows
from ..store.guard import guarded
from ..store.refusals import Refusal
from ..store.runs import run_row
from .targets import NotSent, Target, Told, target_of

WAITING = 1000
"""Batches of events that wait for one target; more are counted and left out."""
A_MINUTE = 10
"""Notifications that one target gets in a minute at most."""
CLOSE_PATIENCE = 2.0

_log = logging.getLogger("gradgate.server")


@dataclass(frozen=True)
class Wanted:
    """What is sent where: URLs, the kinds (none: all), the least level, and a webhook's body."""

    urls: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    level: AlertLevel = "alert"
    template: str | None = None

    def chooses(self, event: EventRow) -> bool:
        """Return whether an event is told."""
        of_level = self.level == "note" or event.level == "alert"
        return of_level and (not self.kinds or event.kind in self.kinds)

    def targets(self) -> list[Target]:
        """Return where notifications go; raises `BadNotification`."""
        return [target_of(url, self.template) for url in self.urls]


class Notifier:
    """Sends events to one target, from a thread of its own: one that hangs holds nobody."""

    def __init__(
        self,
        store: Store,
        target: Target,
        chooses: Callable[[EventRow], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts seconds."""
        self._store = store
        self._target = target
        self._chooses = chooses
        self._clock = clock
        self._queue: queue.Queue[tuple[str, Sequence[int]] | None] = queue.Queue(WAITING)
        self._sent: deque[float] = deque(maxlen=A_MINUTE)
        self._left_out = 0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="gradgate-notifier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notify(self, run: str, events: Sequence[int]) -> None:
        """Have events told, by their ids; never waits."""
        try:
            self._queue.put_nowait((run, events))
        except queue.Full:
            self._left_out += len(events)

    def close(self) -> None:
        """End the thread, which is not waited for when its target hangs."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_PATIENCE)

    def _run(self) -> None:
        while (waiting := self._queue.get()) is not None:
            run, ids = waiting
            with guarded(partial(self._fail, "a fault of Gradgate's own")):
                self._tell(run, ids)

    def _tell(self, run: str, ids: Sequence[int]) -> None:
        try:
            with self._store.read() as connection:
                name = numbered(run_row(connection, run))
                rows = event_rows(connection, run, limit=len(ids), ids=ids)
        except (SQLAlchemyError, Refusal):
            self._left_out += len(ids)
            return
        for event in reversed([row for row in rows if self._chooses(row)]):
            now = self._clock()
            if len(self._sent) == A_MINUTE and now - self._sent[0] < 60:
                self._left_out += 1
                continue
            self._sent.append(now)
            self._send(Told(run, name, event, self._left_out))

    def _send(self, told: Told) -> None:
        try:
            self._target.send(told)
        except NotSent as error:
            self._fail(str(error))
            self._left_out += 1
        else:
            self._failing = False
            self._left_out = 0

    def _fail(self, why: str, error: Exception | None = None) -> None:
        """Log that the target fails, once until it works again."""
        if not self._failing:
            self._failing = True
            _log.error(
                "Notifications to %s fail (%s%s): events are kept, and the next is tried.",
                self._target.name,
                why,
                "" if error is None else f", {type(error).__name__}",
            )


class Notifiers:
    """The notifiers of one server."""

    def __init__(self, store: Store, targets: Sequence[Target], wanted: Wanted) -> None:
        self._notifiers = [Notifier(store, target, wanted.chooses) for target in targets]

    def start(self) -> None:
        """Start their threads."""
        for each in self._notifiers:
            each.start()

    def notify(self, run: str, events: Sequence[int]) -> None:
        """Have events told, by their ids; never waits."""
        if events:
            for each in self._notifiers:
                each.notify(run, events)

    def close(self) -> None:
        """End their threads."""
        for each in self._notifiers:
            each.close()
