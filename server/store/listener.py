"""The thread that hears what other servers of a data base announce."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pydantic import ValidationError

from .announcements import Announcement
from .backend import Backend
from .guard import guarded

RETRY_AFTER = 1.0

_log = logging.getLogger("gradgate.server")


class Listener:
    """Hands on announcements of other servers; both callbacks are called in its thread.

    `on_news` is called with each. `on_begin` is called whenever it begins to hear them, at first
    and after each time that the data base was away: what was announced before was missed.
    """

    def __init__(
        self,
        backend: Backend,
        server: str,
        on_news: Callable[[Announcement], None],
        on_begin: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._server = server
        self._on_news = on_news
        self._on_begin = on_begin
        self._stopped = threading.Event()
        self._hearing = False
        self._told = False
        self._thread = threading.Thread(target=self._run, name="gradgate-listener", daemon=True)

    def start(self) -> None:
        """Start the thread, where the data base may have other servers."""
        if self._backend.shared:
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def hearing(self) -> bool:
        """Return whether whatever other servers announce is heard; there may be none."""
        return self._hearing or not self._backend.shared

    def _run(self) -> None:
        while not self._stopped.is_set():
            with guarded(self._lost):
                for text in self._backend.listen(self._begin, self._stopped):
                    self._hand_on(text)
            self._hearing = False
            self._stopped.wait(RETRY_AFTER)

    def _begin(self) -> None:
        if self._told:
            _log.warning("Other servers are heard again.")
        self._hearing, self._told = True, False
        self._on_begin()

    def _lost(self, error: Exception) -> None:
        if not self._told:
            reason = " ".join(str(error).split())
            _log.error("Other servers are not heard, which is tried again: %s", reason)
        self._told = True

    def _hand_on(self, text: str) -> None:
        try:
            told = Announcement.model_validate_json(text)
        except ValidationError:
            _log.error("Another server announced what this one cannot read: is it of this version?")
            return
        if told.server != self._server:
            self._on_news(told)
