"""Damage of an SQLite file: found at the start, and by whatever query comes upon it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from sqlalchemy import ExceptionContext

from .tables import meta

CHECK_PATIENCE = 2.0
"""Seconds that a start waits for the look through the file; then it goes on beside the server."""

# What is said of SQLITE_CORRUPT and SQLITE_NOTADB.
_DAMAGED = ("database disk image is malformed", "file is not a database")

_log = logging.getLogger("gradgate.server")


class Integrity:
    """Knows whether an SQLite file is damaged; any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.damage: str | None = None
        """What is damaged and what to do, once it is known."""

    def check(self) -> None:
        """Look through the whole file, and wait `CHECK_PATIENCE` for the end."""
        thread = threading.Thread(target=self._look, name="gradgate-check", daemon=True)
        thread.start()
        thread.join(CHECK_PATIENCE)

    def note(self, context: ExceptionContext) -> None:
        """Keep the damage that a query came upon."""
        if is_damage(context.original_exception):
            self._keep(str(context.original_exception))

    def _look(self) -> None:
        try:
            found = faults(self._path, 1)
        except sqlite3.Error as error:
            _log.warning("The data base %s could not be checked: %s", self._path, error)
        else:
            for fault in found:
                self._keep(fault)

    def _keep(self, reason: str) -> None:
        with self._lock:
            if self.damage is not None:
                return
            self.damage = (
                f"The data base {self._path} is damaged ({reason}). What can be read and written "
                "still is: stop the server when you can, put a backup in its place, or save what "
                f"can be read by `gradgate doctor --data {self._path.parent} --salvage FOLDER`."
            )
        _log.error("%s", self.damage)


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error of SQLite says that the file is damaged."""
    return isinstance(error, sqlite3.DatabaseError) and str(error) in _DAMAGED


def is_foreign(path: Path) -> bool:
    """Return whether a file is a sound data base of another program; it is not changed."""
    try:
        with closing(reader(path)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
    except sqlite3.Error:
        return False
    return bool(names) and meta.name not in names


def faults(path: Path, most: int) -> list[str]:
    """Return what SQLite finds wrong with a file, a line each, at most `most`.

    It is read from end to end without changing it, which takes about a second a gigabyte where it
    is in memory. Raises `sqlite3.Error` when the file cannot be opened.
    """
    with closing(reader(path)) as connection:
        try:
            rows = connection.execute(f"PRAGMA quick_check({most})").fetchall()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return [str(error)]
            raise
    return [_one_line(text) for (text,) in rows if text != "ok"]


def _one_line(text: str) -> str:
    """Return what SQLite says without the heading that some of its versions put above it."""
    return " ".join(line for line in text.splitlines() if not line.startswith("***"))


def reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; raises `sqlite3.Error`."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
