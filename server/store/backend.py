"""What differs from one kind of data base to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Protocol

from sqlalchemy import Connection, Engine


class Backend(Protocol):
    """A data base of some kind, open."""

    kind: str
    name: str
    """How a sentence calls it; without its password."""
    another: str
    """How another is chosen: the end of a sentence that says what to do."""
    shared: bool
    """Whether several servers may use it at once."""
    engine: Engine
    reading: Engine
    """For reading alone: every query of a transaction sees the same state of the store."""

    @property
    def damage(self) -> str | None:
        """Return what is damaged and what to do; None as long as no damage is known."""

    def remedy(self, error: BaseException | None) -> str:
        """Return what mends a data base that cannot be used, as the middle of a sentence."""

    def keep_others_out(self, connection: Connection) -> None:
        """Keep other servers from changing the tables until the transaction ends."""

    def keep_copy(self, version: int) -> None:
        """Keep a copy of all that there is before it is upgraded to a version of the schema.

        Raises `StoreError` where that cannot be.
        """

    def notify(self, connection: Connection, payload: str) -> None:
        """Tell every server of the data base something when the transaction is committed."""

    def listen(self, begin: Callable[[], None], stopped: Event) -> Iterator[str]:
        """Yield what servers tell, until stopped; `begin` is called once nothing is missed.

        Raises whatever ends the connection.
        """

    def size(self, connection: Connection) -> int:
        """Return how many bytes it has on its disk."""

    def close(self) -> None:
        """Close every connection, and let go of what was taken."""
