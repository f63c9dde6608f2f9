"""SQLite: a file in a folder that one server has for itself."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from .copies import keep_before_upgrade
from .errors import StoreError, StoreInUseError
from .integrity import Integrity, is_damage, is_foreign

FILE_NAME = "gradgate.db"
_LOCK_NAME = "gradgate.lock"
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_log = logging.getLogger("gradgate.server")


class SqliteFile:
    """The data base in a folder."""

    kind = "sqlite"
    shared = False
    another = "choose another folder with --data"

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and take it; raises `StoreError` when it cannot."""
        self._lock = _locked(folder)
        path = folder / FILE_NAME
        self.name = str(path)
        self._integrity = Integrity(path)
        if path.exists():
            try:
                self._look_at(path)
            except StoreError:
                self._lock.release()
                raise
        self.engine = create_engine(
            URL.create("sqlite", database=str(path)), pool_size=8, max_overflow=40
        )
        # A transaction of SQLite sees the data base as it is at its first query, whatever it does.
        self.reading = self.engine
        event.listen(self.engine, "connect", _configure)
        event.listen(self.engine, "connect", self._close_to_others)
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "handle_error", self._integrity.note)

    @property
    def damage(self) -> str | None:
        """Return what is damaged and what to do; None as long as no damage is known."""
        return self._integrity.damage

    def remedy(self, error: BaseException | None) -> str:
        """Return what mends a data base that cannot be used, as the middle of a sentence."""
        if not is_damage(error):
            return "repair or remove it"
        folder = Path(self.name).parent
        return (
            "put a backup in its place, save what can be read by "
            f"`gradgate doctor --data {folder} --salvage FOLDER`, remove it"
        )

    def keep_others_out(self, connection: Connection) -> None:
        """Do nothing: no other server has the folder."""

    def keep_copy(self, version: int) -> None:
        """Keep a copy beside the file, which says before which version of the schema it was made.

        Raises `StoreError` where there is no room, or the file is damaged.
        """
        path = Path(self.name)
        copy = path.with_name(f"{FILE_NAME}.before-{version}")
        _log.warning(
            "The data base %s is of an earlier Gradgate, and is upgraded; a copy of what it was is "
            "kept as %s.",
            path,
            copy,
        )
        keep_before_upgrade(path, copy)

    def notify(self, connection: Connection, payload: str) -> None:
        """Do nothing: there is nobody to tell."""

    def listen(self, begin: Callable[[], None], stopped: Event) -> Iterator[str]:
        """Yield nothing: there is nobody to hear."""
        return iter(())

    def size(self, connection: Connection) -> int:
        """Return how many bytes its file has on the disk, with the latest commits beside it."""
        found = 0
        for name in (FILE_NAME, f"{FILE_NAME}-wal"):
            with suppress(FileNotFoundError):
                found += Path(self.name).with_name(name).stat().st_size
        return found

    def close(self) -> None:
        """Close every connection and let another server have the folder."""
        self.engine.dispose()
        self._lock.release()

    def _close_to_others(self, connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        """Let nobody but the owner read the files; SQLite gives new ones the data base's mode."""
        for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", _LOCK_NAME):
            # Who reads a file of somebody else's is for them to say; SQLite removes some any time.
            with suppress(PermissionError, FileNotFoundError):
                Path(self.name).with_name(name).chmod(_FILE_MODE)

    def _look_at(self, path: Path) -> None:
        """Look for damage in a file that is there; raises `StoreError` for no store.

        SQLite takes an empty file for a new data base, though one that was used never is empty.
        """
        if path.stat().st_size == 0:
            raise StoreError(
                f"The data base {path} is empty (0 bytes), as no data base of Gradgate's ever is: "
                "what was in it is lost. Put a backup in its place, remove it to begin anew, or "
                f"{self.another}."
            )
        if is_foreign(path):
            raise StoreError(
                f"{path} is a data base of another program: move it, or {self.another}."
            )
        self._integrity.check()


def _locked(folder: Path) -> FileLock:
    """Make the folder and take it for this server alone; the lock ends with the process."""
    lock = FileLock(folder / _LOCK_NAME, mode=_FILE_MODE, thread_local=False)
    try:
        folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreInUseError(
            f"The data folder {folder} is in use by another Gradgate server: stop that, "
            "or choose another folder with --data."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "choose another with --data."
        ) from error
    return lock


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver would begin a transaction at the first write only, so that several reads could see
    # different states of the store: "Serializable isolation" in SQLAlchemy's page on SQLite.
    connection.isolation_level = None
    # `synchronous=FULL` makes what is acknowledged outlive a power cut, not only a killed server.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=2000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
