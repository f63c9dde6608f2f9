"""The transactions of the thread that writes, and how the latest ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from .database import Store
from .guard import guarded
from .integrity import is_damage
from .write_metrics import WriteMetrics

T = TypeVar("T")

_log = logging.getLogger("gradgate.server")


class Failed(Exception):
    """A transaction failed and was rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(getattr(error, "orig", None) or error))
        self.error = error
        # Locked, full, not readable, or every connection taken: what another try may mend.
        self.passing = isinstance(error, OperationalError | NoConnection) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        )
        self.damaged = isinstance(error, DBAPIError) and is_damage(error.orig)


class Transactions:
    """Runs work in transactions, one after the other."""

    def __init__(self, store: Store, metrics: WriteMetrics) -> None:
        self._store = store
        self._metrics = metrics
        # Whoever opens a store writes to it.
        self.last_commit = time.time()
        self.last_end = 0.0
        """When the latest was committed, by the clock that is never set."""
        self.error: str | None = None
        """Why the store cannot be written now."""

    def run(self, work: Callable[[Connection], T], *, commit: bool = True) -> T:
        """Do something in a transaction; raises `Failed`, whatever went wrong.

        Without `commit` the transaction is rolled back in any case.
        Every run depends on the thread that calls this, so a fault that nobody foresaw ends the
        work that it happened in, and not the thread.
        """
        begun = time.monotonic()
        with guarded(self._fail), self._store.write() as connection:
            result = work(connection)
            if not commit:
                connection.rollback()
        if commit:
            self.last_end = time.monotonic()
            self._metrics.wrote(self.last_end - begun)
            self.last_commit = time.time()
            self.error = None
        return result

    def postpone(self, failed: Failed) -> None:
        """Keep why the store cannot be written, and log it once."""
        if self.error is None:
            _log.error("The store cannot be written, and is tried again: %s", failed)
        self.error = str(failed)

    def _fail(self, error: Exception) -> NoReturn:
        self._metrics.failed()
        raise Failed(error) from error
